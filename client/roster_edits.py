"""The next version of a roster as an admin wants it, made from the one that is trusted here. Pure.

What is asked on the command line is parsed here as well; signing it is `client.proposing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import msgspec

from client.failures import BadUsageError
from protocol import ids, scopes, selectors
from protocol.errors import DecodeError, InvalidName
from protocol.policy import Capability
from protocol.roster import ApprovalRule, Grant, RecoveryKey, Roster, RosterOperator, TrustedRoster

CAPABILITIES: tuple[Capability, ...] = get_args(Capability)


class Edits(msgspec.Struct, frozen=True):
    """What changes besides the operators: None and empty leave everything as it is.

    `postures`, `approvals` and `epochs` are set one by one; a posture "" and a rule None take the
    entry away. `recovery` are added, those named in `lost` removed.
    """

    threshold: int | None = None
    postures: dict[str, str] = {}
    approvals: dict[str, ApprovalRule | None] = {}
    epochs: dict[str, int] = {}
    recovery: tuple[RecoveryKey, ...] = ()
    lost: tuple[str, ...] = ()
    recovery_threshold: int | None = None


def edited(trusted: TrustedRoster, edits: Edits, now: float) -> Roster:
    """Return the next version with these changes."""
    held = trusted.roster
    postures = {**held.postures, **edits.postures}
    rules: dict[str, ApprovalRule | None] = {**held.approvals, **edits.approvals}
    spare = tuple(key for key in held.recovery if key.name not in edits.lost) + edits.recovery
    least = held.recovery_threshold
    if edits.recovery_threshold is not None:
        least = edits.recovery_threshold
    return msgspec.structs.replace(
        following(trusted, held.operators, now),
        threshold=held.threshold if edits.threshold is None else edits.threshold,
        postures={pattern: posture for pattern, posture in postures.items() if posture},
        approvals={posture: rule for posture, rule in rules.items() if rule is not None},
        epochs={**held.epochs, **edits.epochs},
        recovery=spare,
        # The first key brings the smallest threshold with it, the last one takes it away.
        recovery_threshold=max(1, least) if spare else 0,
    )


def with_grants(
    trusted: TrustedRoster, operator_id: str, grants: tuple[Grant, ...], now: float
) -> Roster:
    """Return the next version in which an operator has these grants and no others."""
    operators = tuple(
        msgspec.structs.replace(one, grants=grants) if one.operator_id == operator_id else one
        for one in trusted.roster.operators
    )
    return following(trusted, operators, now)


def with_sealing_key(
    trusted: TrustedRoster, operator_id: str, sealing_key: str, now: float
) -> Roster:
    """Return the next version in which secrets are sealed to this key of an operator.

    Raises:
        BadUsageError: it is no X25519 key in hex.
    """
    try:
        ids.check_hex64(sealing_key, "a sealing key")
    except InvalidName as error:
        raise BadUsageError(str(error), next_command="standfast operator whoami") from error
    operators = tuple(
        msgspec.structs.replace(one, sealing_key=sealing_key)
        if one.operator_id == operator_id
        else one
        for one in trusted.roster.operators
    )
    return following(trusted, operators, now)


def following(trusted: TrustedRoster, operators: tuple[RosterOperator, ...], now: float) -> Roster:
    """Return the next version with these operators and all else as it is."""
    held = trusted.roster
    return msgspec.structs.replace(
        held,
        version=held.version + 1,
        operators=operators,
        previous=trusted.digest,
        issued_at=int(now),
    )


def parse_posture(text: str) -> tuple[str, str]:
    """Return scope pattern and posture of `org/project/env=prod`; an empty posture takes it away.

    Raises:
        BadUsageError: it is not written so.
    """
    pattern, mark, posture = text.partition("=")
    try:
        scopes.check_pattern(pattern)
        if posture:
            ids.check_name(posture)
    except (DecodeError, InvalidName) as error:
        raise BadUsageError(f"--posture {text!r}: {error}") from error
    if not mark:
        raise BadUsageError(f"--posture {text!r}: write SCOPE=POSTURE")
    return pattern, posture


def parse_rule(text: str) -> tuple[str, ApprovalRule | None]:
    """Return posture and rule of `prod=2,requester-excluded,state.apply`; `prod=` takes it away.

    Raises:
        BadUsageError: it is not written so.
    """
    posture, mark, rest = text.partition("=")
    words = [word.strip() for word in rest.split(",") if word.strip()]
    if not posture or not mark:
        raise BadUsageError(f"--approval {text!r}: write POSTURE=QUORUM[,requester-excluded]")
    if not words:
        return posture, None
    quorum, *others = words
    if not quorum.isdecimal():
        raise BadUsageError(f"--approval {text!r}: {quorum!r} is not a number of operators")
    excluded = "requester-excluded" in others
    named = capabilities(word for word in others if word != "requester-excluded")
    return posture, ApprovalRule(int(quorum), excluded, named)


def parse_recovery(text: str) -> tuple[str, RecoveryKey | None]:
    """Return name and recovery key of `NAME=PUBLIC_KEY`; `NAME=` takes it away.

    Raises:
        BadUsageError: it is not written so.
    """
    name, mark, public = text.partition("=")
    try:
        ids.check_name(name)
        if mark and not public:
            return name, None
        ids.check_hex64(public, "a recovery key")
    except InvalidName as error:
        raise BadUsageError(
            f"--recovery-key {text!r}: {error}; write NAME=PUBLIC_KEY",
            next_command="standfast roster recovery FILE",
        ) from error
    return name, RecoveryKey(name, public)


def parse_grant(named: Iterable[str], patterns: Iterable[str], selector: str) -> Grant:
    """Return a grant of capabilities, in scopes, on hosts with these signed tags.

    Raises:
        BadUsageError: a capability, a scope or the selector is none.
    """
    try:
        if selector:
            selectors.parse(selector)
        return Grant(capabilities(named), tuple(map(scopes.check_pattern, patterns)), selector)
    except DecodeError as error:
        raise BadUsageError(str(error)) from error


def capabilities(words: Iterable[str]) -> tuple[Capability, ...]:
    """Return the capabilities of these names.

    Raises:
        BadUsageError: there is no such capability.
    """
    known: dict[str, Capability] = {name: name for name in CAPABILITIES}
    found: list[Capability] = []
    for word in words:
        if word not in known:
            raise BadUsageError(f"there is no capability {word!r}: {', '.join(CAPABILITIES)}")
        found.append(known[word])
    return tuple(found)
