"""The roster: who the operators are. Version n+1 is signed by a quorum of the admins of version n.

Agents and clients verify the chain themselves; the coordinator only carries it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol import canonical, dsse, ids, keys, reports
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.limits import MAX_OPERATORS, MAX_ROSTER_CHAIN
from protocol.policy import Capability
from protocol.reasons import Reason, Refused

Role = Literal["admin", "operator", "viewer", "automation"]
# Roles whose signature may approve work on a host.
DECIDING_ROLES: frozenset[str] = frozenset({"admin", "operator"})


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may decide, narrower than the role allows.

    `capabilities` and `scopes` are lists of what is allowed; empty means every one. A scope may end
    in `/*` at any level. `selector` asks the host's signed tags (`protocol.node_statement`), never
    those that the coordinator sets; "" asks nothing.
    """

    capabilities: tuple[Capability, ...] = ()
    scopes: tuple[str, ...] = ()
    selector: str = ""


class ApprovalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many operators must sign in one posture (`dev`, `staging`, `prod`, or `*` for any).

    With `requester_excluded` the requester has to sign too, to prove who asked, and is not counted
    among the `quorum`. `capabilities` empty means every one.
    """

    quorum: int = 1
    requester_excluded: bool = False
    capabilities: tuple[Capability, ...] = ()


class RecoveryKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key kept offline that may sign the next roster when the admins are lost; Ed25519 in hex."""

    name: str
    public_key: str


class RosterOperator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operator: `public_key` is Ed25519 in hex, `operator_id` follows from it.

    `sealing_key` is X25519 in hex, "" if secrets are not sealed to this operator. `grants` empty
    means all that the role allows; with grants, one of them has to allow the work.
    """

    operator_id: str
    username: str
    public_key: str
    role: Role
    sealing_key: str = ""
    grants: tuple[Grant, ...] = ()


class Roster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of the roster.

    `previous` is the digest of the version before ("" for the first). `threshold` admins must sign
    the next version, or, when they are lost, `recovery_threshold` of the `recovery` keys (0: none).
    `epochs` maps a scope to the lowest epoch that its decisions may carry, `postures` a scope (or a
    pattern ending in `/*`) to its posture, `approvals` a posture to what approval takes there.
    `issued_at` is the signer's clock in whole seconds.
    """

    v: Literal[1]
    version: int
    operators: tuple[RosterOperator, ...]
    threshold: int
    previous: str
    issued_at: int
    epochs: dict[str, int] = {}
    recovery: tuple[RecoveryKey, ...] = ()
    recovery_threshold: int = 0
    postures: dict[str, str] = {}
    approvals: dict[str, ApprovalRule] = {}

    def keys(self, roles: frozenset[str]) -> dict[str, bytes]:
        """Return id and public key of the operators that hold one of the roles."""
        return {
            operator.operator_id: bytes.fromhex(operator.public_key)
            for operator in self.operators
            if operator.role in roles
        }

    def find(self, operator_id: str) -> RosterOperator | None:
        """Return the operator with this id, or None."""
        return next((o for o in self.operators if o.operator_id == operator_id), None)

    def epoch(self, scope: str) -> int:
        """Return the lowest epoch that a decision in this scope may carry."""
        return self.epochs.get(scope, 0)


class TrustedRoster(msgspec.Struct, frozen=True):
    """A roster that was verified, with the digest of its exact bytes and its envelope."""

    roster: Roster
    digest: str
    envelope: dsse.Envelope


def encode(roster: Roster) -> bytes:
    """Return the canonical bytes that are signed."""
    value: Json = msgspec.to_builtins(roster)
    return canonical.encode(_lists(value))


def _lists(value: Json | tuple[Json, ...]) -> Json:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lists(item) for item in value]
    return value


def decode(envelope: dsse.Envelope) -> Roster | Refused:
    """Return the roster in an envelope, its own consistency checked but no signature yet."""
    if envelope.payload_type != dsse.ROSTER:
        return Refused(Reason.ROSTER_INVALID, f"payload type {envelope.payload_type!r}")
    try:
        payload = envelope.content()
        canonical.decode(payload)
        roster = msgspec.json.decode(payload, type=Roster)
        _check(roster)
    except (DecodeError, InvalidName, *MALFORMED) as error:
        return Refused(Reason.ROSTER_INVALID, str(error))
    return roster


def _check(roster: Roster) -> None:
    if not 1 <= len(roster.operators) <= MAX_OPERATORS:
        raise DecodeError(f"a roster names 1 to {MAX_OPERATORS} operators")
    seen: set[str] = set()
    for operator in roster.operators:
        public = ids.check_hex64(operator.public_key, f"public key of {operator.username}")
        if keys.is_weak(public):
            raise DecodeError(f"public key of {operator.username} is one that anybody can sign for")
        if ids.operator_id(public) != operator.operator_id:
            raise DecodeError(f"operator id of {operator.username} does not follow from the key")
        if ids.check_name(operator.username) != operator.username:
            raise DecodeError(f"username {operator.username!r} is not in its one form (NFC)")
        name = ids.fold_name(operator.username)
        if operator.operator_id in seen or name in seen:
            raise DecodeError(f"operator {operator.username} stands twice")
        seen |= {operator.operator_id, name}
    admins = sum(operator.role == "admin" for operator in roster.operators)
    if not 1 <= roster.threshold <= admins:
        raise DecodeError(f"threshold {roster.threshold} cannot be met by {admins} admins")
    if any(epoch < 0 for epoch in roster.epochs.values()):
        raise DecodeError("an epoch is at least 0")
    if roster.version < 1 or (roster.version == 1) != (not roster.previous):
        raise DecodeError("version 1, and only version 1, has no previous roster")


def verify_first(envelope: dsse.Envelope, pinned: str | None) -> TrustedRoster | Refused:
    """Verify version 1 against a pinned digest (None only where first use is trusted)."""
    roster = decode(envelope)
    if isinstance(roster, Refused):
        return roster
    digest = reports.content_digest(envelope.content())
    if pinned is not None and digest != pinned:
        return Refused(Reason.ROSTER_FORK, f"roster {digest[:16]} is not the pinned {pinned[:16]}")
    if pinned is None and roster.version != 1:
        return Refused(Reason.ROSTER_INVALID, "the first roster must be version 1")
    if roster.version != 1:
        # The pin came by a trusted way and names these exact bytes: it says more than signatures.
        return TrustedRoster(roster, digest, envelope)
    return _quorum(roster, envelope, roster, digest)


def verify_next(trusted: TrustedRoster, envelope: dsse.Envelope) -> TrustedRoster | Refused:
    """Verify that an envelope holds the version after the trusted one."""
    roster = decode(envelope)
    if isinstance(roster, Refused):
        return roster
    digest = reports.content_digest(envelope.content())
    if roster.version <= trusted.roster.version:
        if digest == trusted.digest:
            return trusted
        reason = (
            Reason.ROSTER_FORK
            if roster.version == trusted.roster.version
            else Reason.ROSTER_ROLLBACK
        )
        return Refused(reason, f"version {roster.version} offered, {trusted.roster.version} held")
    if roster.version != trusted.roster.version + 1 or roster.previous != trusted.digest:
        return Refused(Reason.ROSTER_FORK, f"version {roster.version} does not follow the one held")
    if any(roster.epoch(scope) < epoch for scope, epoch in trusted.roster.epochs.items()):
        return Refused(Reason.ROSTER_ROLLBACK, "an epoch went down")
    return _quorum(roster, envelope, trusted.roster, digest)


def verify_chain(
    trusted: TrustedRoster | None, pinned: str | None, chain: tuple[dsse.Envelope, ...]
) -> TrustedRoster | Refused:
    """Verify a chain of rosters, oldest first, and return its end.

    With nothing trusted yet, the chain may begin before the pinned version: what stands before it
    is skipped, since the pin vouches for the pinned one alone.
    """
    if len(chain) > MAX_ROSTER_CHAIN:
        return Refused(Reason.ROSTER_INVALID, f"more than {MAX_ROSTER_CHAIN} versions at once")
    current = trusted
    for envelope in chain:
        if current is None:
            step = verify_first(envelope, pinned)
            if isinstance(step, Refused) and step.reason is Reason.ROSTER_FORK:
                continue
        else:
            step = verify_next(current, envelope)
        if isinstance(step, Refused):
            return step
        current = step
    if current is None:
        return Refused(Reason.ROSTER_UNKNOWN, "the pinned roster is not in the chain")
    return current


def _quorum(
    roster: Roster, envelope: dsse.Envelope, by: Roster, digest: str
) -> TrustedRoster | Refused:
    try:
        held = dsse.signers(envelope, by.keys(frozenset({"admin"})))
    except DecodeError as error:
        return Refused(Reason.ROSTER_INVALID, str(error))
    if len(held) < by.threshold:
        detail = f"{len(held)} of {by.threshold} admin signatures on version {roster.version}"
        return Refused(Reason.ROSTER_INVALID, detail)
    return TrustedRoster(roster, digest, envelope)
