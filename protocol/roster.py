"""The roster: who the operators are. Version n+1 is signed by a quorum of the admins of version n.

Agents and clients verify the chain themselves; the coordinator only carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from protocol import canonical, dsse, ids, keys, reports, scopes, selectors
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.limits import MAX_OPERATORS, MAX_ROSTER_CHAIN, MAX_SIGNATURES
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

    def covers(self, capability: Capability, scope: str, tags: Mapping[str, str] | None) -> bool:
        """Say whether the grant allows some work in a scope, on a host with these signed tags.

        None is a host about which nothing was signed: a selector that asks anything misses it, so
        that `!prod` does not mean a host of which nobody has said yet what it is.
        """
        if self.capabilities and capability not in self.capabilities:
            return False
        if self.scopes and not any(scopes.covers(pattern, scope) for pattern in self.scopes):
            return False
        if not self.selector:
            return True
        selector = selectors.parse(self.selector)
        return not selector.clauses or (tags is not None and selector.matches(tags))


class ApprovalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many operators must sign in one posture (`dev`, `staging`, `prod`, or `*` for any).

    With `requester_excluded` the requester has to sign too, to prove who asked, and is not counted
    among the `quorum`. `capabilities` empty means every one.
    """

    quorum: int = 1
    requester_excluded: bool = False
    capabilities: tuple[Capability, ...] = ()


def stricter(one: ApprovalRule, other: ApprovalRule) -> ApprovalRule:
    """Return the rule that meets both."""
    return ApprovalRule(
        max(one.quorum, other.quorum), one.requester_excluded or other.requester_excluded
    )


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

    def may(self, capability: Capability, scope: str, tags: Mapping[str, str] | None) -> bool:
        """Say whether the grants allow some work; the role is asked elsewhere."""
        return not self.grants or any(
            grant.covers(capability, scope, tags) for grant in self.grants
        )


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

    def recovery_keys(self) -> dict[str, bytes]:
        """Return id and public key of the recovery keys; a keyid is made as an operator's id."""
        publics = [bytes.fromhex(spare.public_key) for spare in self.recovery]
        return {ids.operator_id(public): public for public in publics}

    def find(self, operator_id: str) -> RosterOperator | None:
        """Return the operator with this id, or None."""
        return next((o for o in self.operators if o.operator_id == operator_id), None)

    def epoch(self, scope: str) -> int:
        """Return the lowest epoch that a decision in this scope may carry."""
        return self.epochs.get(scope, 0)

    def posture(self, scope: str) -> str:
        """Return the posture of a scope, by the narrowest pattern that means it; "" is none."""
        pattern = scopes.closest(self.postures, scope)
        return "" if pattern is None else self.postures[pattern]

    def approval(self, scope: str, capability: Capability) -> ApprovalRule:
        """Return what approval takes for some work in a scope: the stricter of its rules.

        Those are the rule of the scope's posture and the one for `*`.
        """
        found = ApprovalRule()
        for name in {self.posture(scope), "*"}:
            rule = self.approvals.get(name)
            if rule is not None and (not rule.capabilities or capability in rule.capabilities):
                found = stricter(found, rule)
        return found


class TrustedRoster(msgspec.Struct, frozen=True):
    """A roster that was verified, with the digest of its exact bytes and its envelope.

    `recovered` says that recovery keys signed it, or one since the roster that was trusted before,
    instead of the admins: whoever learns of that tells everybody, aloud.
    """

    roster: Roster
    digest: str
    envelope: dsse.Envelope
    recovered: bool = False


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
        _check_operator(operator)
        name = ids.fold_name(operator.username)
        if operator.operator_id in seen or name in seen:
            raise DecodeError(f"operator {operator.username} stands twice")
        seen |= {operator.operator_id, name}
    admins = sum(operator.role == "admin" for operator in roster.operators)
    # More than an envelope holds would be a roster that nobody could ever change again.
    if not 1 <= roster.threshold <= min(admins, MAX_SIGNATURES):
        raise DecodeError(f"threshold {roster.threshold} cannot be met by {admins} admins")
    if any(epoch < 0 for epoch in roster.epochs.values()):
        raise DecodeError("an epoch is at least 0")
    _check_recovery(roster, seen)
    _check_rules(roster)
    if roster.version < 1 or (roster.version == 1) != (not roster.previous):
        raise DecodeError("version 1, and only version 1, has no previous roster")


def _check_operator(operator: RosterOperator) -> None:
    public = ids.check_hex64(operator.public_key, f"public key of {operator.username}")
    if keys.is_weak(public):
        raise DecodeError(f"public key of {operator.username} is one that anybody can sign for")
    if ids.operator_id(public) != operator.operator_id:
        raise DecodeError(f"operator id of {operator.username} does not follow from the key")
    if ids.check_name(operator.username) != operator.username:
        raise DecodeError(f"username {operator.username!r} is not in its one form (NFC)")
    if operator.sealing_key:
        ids.check_hex64(operator.sealing_key, f"sealing key of {operator.username}")


def _check_recovery(roster: Roster, taken: set[str]) -> None:
    seen = set(taken)
    for spare in roster.recovery:
        public = ids.check_hex64(spare.public_key, f"recovery key {spare.name}")
        if keys.is_weak(public):
            raise DecodeError(f"recovery key {spare.name} is one that anybody can sign for")
        # A key in both places would let an operator be two.
        if ids.operator_id(public) in seen:
            raise DecodeError(f"recovery key {spare.name} stands twice")
        seen.add(ids.operator_id(public))
    if len(roster.recovery) > MAX_SIGNATURES:
        raise DecodeError(f"more than {MAX_SIGNATURES} recovery keys")
    least = 1 if roster.recovery else 0
    if not least <= roster.recovery_threshold <= len(roster.recovery):
        text = f"recovery_threshold {roster.recovery_threshold} of {len(roster.recovery)} keys"
        raise DecodeError(f"{text} cannot be met")


def _check_rules(roster: Roster) -> None:
    for operator in roster.operators:
        for grant in operator.grants:
            for pattern in grant.scopes:
                scopes.check_pattern(pattern)
            if grant.selector:
                selectors.parse(grant.selector)
    for pattern, posture in roster.postures.items():
        scopes.check_pattern(pattern)
        # `*`, which stands for every posture, is no name.
        ids.check_name(posture)
    people = sum(operator.role in DECIDING_ROLES for operator in roster.operators)
    for posture, rule in roster.approvals.items():
        if posture != "*":
            ids.check_name(posture)
        # The requester who is left out has to be somebody besides them.
        if not 1 <= rule.quorum <= min(people, MAX_SIGNATURES):
            raise DecodeError(f"{rule.quorum} approvals in {posture} cannot be met by {people}")


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
    # What was recovered before is known already.
    current = trusted and msgspec.structs.replace(trusted, recovered=False)
    for envelope in chain:
        if current is None:
            step = verify_first(envelope, pinned)
            if isinstance(step, Refused) and step.reason is Reason.ROSTER_FORK:
                continue
        else:
            step = verify_next(current, envelope)
        if isinstance(step, Refused):
            return step
        recovered = step.recovered or (current is not None and current.recovered)
        current = msgspec.structs.replace(step, recovered=recovered)
    if current is None:
        return Refused(Reason.ROSTER_UNKNOWN, "the pinned roster is not in the chain")
    return current


def _quorum(
    roster: Roster, envelope: dsse.Envelope, by: Roster, digest: str
) -> TrustedRoster | Refused:
    try:
        held = dsse.signers(envelope, by.keys(frozenset({"admin"})))
        spare = dsse.signers(envelope, by.recovery_keys())
    except DecodeError as error:
        return Refused(Reason.ROSTER_INVALID, str(error))
    if len(held) >= by.threshold:
        return TrustedRoster(roster, digest, envelope)
    # A first version is vouched for by its admins alone: it names its own recovery keys.
    if by is not roster and 1 <= by.recovery_threshold <= len(spare):
        return TrustedRoster(roster, digest, envelope, recovered=True)
    detail = f"{len(held)} of {by.threshold} admin signatures on version {roster.version}"
    return Refused(Reason.ROSTER_INVALID, detail)
