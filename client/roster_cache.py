"""The client's own copy of each coordinator's roster: pinned once, then only ever moved forward.

Epochs, operator ids and names that a signature rests on come from here, never from an answer.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from client.failures import ClientError, UntrustedError
from client.private_files import read_private, replace_private
from protocol import dsse, ids, roster, sealing
from protocol.api import RosterResponse
from protocol.errors import DecodeError
from protocol.keys import SigningKey
from protocol.limits import MAX_ROSTER_CHAIN
from protocol.reasons import EXPLAIN, Reason, Refused
from protocol.reports import content_digest
from protocol.roster import Role, Roster, RosterOperator, TrustedRoster

OWN_ROSTER_FILE = "roster.json"


def first_roster(key: SigningKey, username: str, now: float) -> dsse.Envelope:
    """Return version 1: this operator as the only admin, signed by themselves.

    Raises:
        InvalidName: the username breaks its rule.
    """
    operator_id = ids.operator_id(key.public)
    name = ids.check_name(username)
    # So that secrets which others set are sealed to this admin too.
    sealing_key = sealing.operator_key(key.seed()).public.hex()
    only = RosterOperator(operator_id, name, key.public.hex(), "admin", sealing_key)
    content = roster.encode(Roster(1, 1, (only,), 1, "", int(now)))
    return dsse.sign(dsse.ROSTER, content, key, operator_id)


def load_own(directory: Path) -> dsse.Envelope | None:
    """Return the roster that `operator init` made here, if there is one."""
    data = read_private(directory / OWN_ROSTER_FILE)
    return dsse.decode(data) if data is not None else None


def load(directory: Path, profile: str) -> TrustedRoster | None:
    """Return the roster held for a profile, or None before first contact.

    Raises:
        ClientError: the file is damaged; it is never silently replaced.
    """
    path = _path(directory, profile)
    data = read_private(path)
    if data is None:
        return None
    try:
        envelope = dsse.decode(data)
        held = roster.decode(envelope)
        digest = content_digest(envelope.content())
    except DecodeError as error:
        raise ClientError(f"{path}: {error}", code="roster_cache_invalid") from error
    if isinstance(held, Refused):
        raise ClientError(f"{path}: {held.detail}", code="roster_cache_invalid")
    return TrustedRoster(held, digest, envelope)


def save(directory: Path, profile: str, trusted: TrustedRoster) -> None:
    """Hold a verified roster for a profile."""
    replace_private(_path(directory, profile), dsse.encode(trusted.envelope))


def forget(directory: Path, profile: str) -> None:
    """Drop what is held for a profile."""
    _path(directory, profile).unlink(missing_ok=True)


def own_digest(own: dsse.Envelope | None) -> str | None:
    """Return the digest of our own first roster."""
    return content_digest(own.content()) if own is not None else None


def advance(
    trusted: TrustedRoster | None, pinned: str | None, answer: RosterResponse
) -> TrustedRoster | Refused:
    """Return the newest roster that the coordinator can prove to follow the one held.

    Without one held, the chain must contain the pinned version. What the coordinator says of its
    version and digest must agree with what the chain proves.
    """
    if len(answer.chain) > MAX_ROSTER_CHAIN:
        return Refused(Reason.ROSTER_INVALID, f"more than {MAX_ROSTER_CHAIN} versions at once")
    if trusted is not None and answer.version < trusted.roster.version:
        detail = f"version {answer.version} offered, {trusted.roster.version} held"
        return Refused(Reason.ROSTER_ROLLBACK, detail)
    newest = roster.verify_chain(trusted, pinned, answer.chain)
    if isinstance(newest, Refused):
        return newest
    if newest.roster.version == answer.version and newest.digest != answer.digest:
        detail = f"version {answer.version} exists with two contents"
        return Refused(Reason.ROSTER_FORK, detail)
    if newest.roster.version > answer.version:
        return Refused(Reason.ROSTER_INVALID, "the chain goes past the version that is claimed")
    return newest


def first_contact(answer: RosterResponse) -> TrustedRoster | Refused:
    """Return the end of a chain from version 1 on whose start somebody must vouch for."""
    return roster.verify_chain(None, None, answer.chain)


def refusal(refused: Refused, url: str) -> UntrustedError:
    """Return a roster refusal as the error that a person sees."""
    explained = EXPLAIN[refused.reason]
    return UntrustedError(
        f"{url} offers a roster that this client does not take: {explained.meaning}",
        where=refused.detail,
        next_command=explained.next,
        code=str(refused.reason),
    )


def with_operator(
    trusted: TrustedRoster,
    public_key: bytes,
    username: str,
    role: Role,
    now: float,
    sealing_key: str = "",
) -> Roster:
    """Return the next version with one operator more.

    `sealing_key` (hex) is what they say of theirs; "" if secrets are not to be sealed to them.

    Raises:
        InvalidName: the username breaks its rule.
    """
    name = ids.check_name(username)
    if sealing_key:
        ids.check_hex64(sealing_key, "the sealing key")
    added = RosterOperator(ids.operator_id(public_key), name, public_key.hex(), role, sealing_key)
    return _next(trusted, (*trusted.roster.operators, added), now)


def without_operator(trusted: TrustedRoster, operator_id: str, now: float) -> Roster:
    """Return the next version without an operator."""
    kept = tuple(o for o in trusted.roster.operators if o.operator_id != operator_id)
    return _next(trusted, kept, now)


def sign_next(
    trusted: TrustedRoster, following: Roster, key: SigningKey
) -> TrustedRoster | Refused:
    """Return the next version signed by us, checked as every host will check it."""
    content = roster.encode(following)
    envelope = dsse.sign(dsse.ROSTER, content, key, ids.operator_id(key.public))
    return roster.verify_next(trusted, envelope)


def _next(trusted: TrustedRoster, operators: tuple[RosterOperator, ...], now: float) -> Roster:
    held = trusted.roster
    return msgspec.structs.replace(
        held,
        version=held.version + 1,
        operators=operators,
        previous=trusted.digest,
        issued_at=int(now),
    )


def _path(directory: Path, profile: str) -> Path:
    return directory / "rosters" / f"{profile}.json"
