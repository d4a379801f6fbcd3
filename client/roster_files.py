"""A chain of rosters in a file, verified without asking anybody, each change told in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from client.failures import BadUsageError, UntrustedError
from client.render.rosters import changes, operator_text
from protocol import dsse, roster
from protocol.errors import MALFORMED
from protocol.ids import operator_id
from protocol.reasons import EXPLAIN, Reason, Refused
from protocol.reports import content_digest
from protocol.roster import Roster, TrustedRoster

# 512 versions of 200 operators each: more is not a chain of ours.
MAX_FILE = 64 * 1_048_576


class Step(msgspec.Struct, frozen=True):
    """One version: who signed it, what it changed; `recovered` if by recovery keys."""

    version: int
    digest: str
    signers: tuple[str, ...]
    recovered: bool
    changes: tuple[str, ...]


class _Shown(msgspec.Struct, frozen=True):
    chain: tuple[dsse.Envelope, ...]


def read_chain(path: str) -> tuple[dsse.Envelope, ...]:
    """Return the envelopes in a file: one, a list of them, or what `roster show --json` prints.

    Raises:
        BadUsageError: there is no such file, or it holds something else.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE)
    except OSError as error:
        raise BadUsageError(
            f"cannot read {path}: {error.strerror}", code="file_unreadable"
        ) from error
    for kind in (_Shown, tuple[dsse.Envelope, ...], dsse.Envelope):
        try:
            found: object = msgspec.json.decode(data, type=kind)
        except MALFORMED:
            continue
        match found:
            case _Shown():
                return found.chain
            case dsse.Envelope():
                return (found,)
            case _:
                return msgspec.convert(found, tuple[dsse.Envelope, ...])
    raise BadUsageError(
        f"{path} holds no chain of rosters",
        next_command=f"standfast --json roster show > {path}",
        code="roster_invalid",
    )


def walk(chain: Sequence[dsse.Envelope], pinned: str | None, held: str | None) -> tuple[Step, ...]:
    """Return each version of a chain that holds from its first on.

    `pinned` is a digest that somebody trusts, `held` the one that this client trusts: both have to
    be in the chain, or it is another one.

    Raises:
        UntrustedError: a version does not follow, or a digest that is trusted is missing.
    """
    steps: list[Step] = []
    current: TrustedRoster | None = None
    for envelope in chain:
        if current is None:
            found = roster.verify_first(envelope, None)
        else:
            found = roster.verify_next(current, envelope)
        if isinstance(found, Refused):
            number = current.roster.version + 1 if current is not None else 1
            raise _refused(found, number)
        steps.append(_step(found, current))
        current = found
    digests = {step.digest for step in steps}
    for digest in (pinned, held):
        if digest is not None and digest.removeprefix("sha256:") not in digests:
            raise _refused(Refused(Reason.ROSTER_FORK, f"{digest[:23]} is not in the chain"), 0)
    return tuple(steps)


def _step(found: TrustedRoster, before: TrustedRoster | None) -> Step:
    by = before.roster if before is not None else found.roster
    told = (
        changes(before.roster, found.roster)
        if before is not None
        else [f"+ {operator_text(one)}" for one in found.roster.operators]
    )
    return Step(
        found.roster.version,
        content_digest(found.envelope.content()),
        _signers(found, by),
        found.recovered,
        tuple(told),
    )


def _signers(found: TrustedRoster, by: Roster) -> tuple[str, ...]:
    names = {operator_id(bytes.fromhex(key.public_key)): key.name for key in by.recovery}
    names |= {one.operator_id: one.username for one in by.operators}
    known = by.recovery_keys() | by.keys(frozenset({"admin"}))
    return tuple(names[one] for one in dsse.signers(found.envelope, known))


def _refused(refused: Refused, number: int) -> UntrustedError:
    known = EXPLAIN[refused.reason]
    where = f"version {number}: " if number else ""
    return UntrustedError(
        f"the chain does not hold: {known.meaning}",
        where=f"{where}{refused.detail}",
        next_command=known.next,
        code=str(refused.reason),
    )
