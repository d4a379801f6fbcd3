"""The decision: a signed yes or no on the hash of one action, and the checks before a host acts.

The order of checks is fixed (design, section 4): envelope, signatures and quorum, scope, node and
action hash, replay, clock, policy; then the caller consumes the decision on disk and executes.
There is no unsigned way round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import msgspec

from protocol import canonical, dsse, ids, merkle
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.limits import (
    CLOCK_SKEW_SECONDS,
    MAX_COMMENT,
    MAX_DECISION_NODES,
    MAX_DECISION_SECONDS,
)
from protocol.policy import Capability, Policy
from protocol.reasons import Reason, Refused
from protocol.roster import DECIDING_ROLES, Roster

Verdict = Literal["approve", "deny"]


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator signs. Times are whole seconds since the epoch.

    `nodes` are explicit node ids, never a selector: a hostile coordinator can re-tag hosts.
    More of them than one decision lists stand in a Merkle tree (`nodes_root`, `nodes_count`, and
    `nodes` empty), of which a host needs its own branch only. `uses` is how often each named host
    may act on it. `epoch` is not below the roster's. `roster_version` is the roster that the signer
    held: a host that holds an older one was kept from news, and waits for it; 0 says nothing.
    """

    v: Literal[1]
    decision_id: str
    verdict: Verdict
    capability: Capability
    action_hash: str
    nodes: tuple[str, ...]
    scope: str
    epoch: int
    not_before: int
    expires_at: int
    uses: int
    requested_by: str
    comment: str = ""
    roster_version: int = 0
    nodes_root: str = ""
    nodes_count: int = 0


class PlanProof(msgspec.Struct, frozen=True):
    """What ties a host's own plan to a signed fleet plan: its leaf's place and audit path."""

    root: str
    index: int
    count: int
    path: tuple[str, ...] = ()


class Context(msgspec.Struct, frozen=True):
    """What a host knows when it judges: itself, whom it trusts, its memory and its clock.

    `used` maps decision ids to how often they were consumed here; `epochs` is the highest epoch
    set by a roster per scope (never by a decision: one operator could lock out all others);
    `now` is the later of the wall clock and the latest signed time seen.
    """

    node_id: str
    scope: str
    roster: Roster
    policy: Policy
    coordinator_id: str
    coordinator_key: bytes
    used: Mapping[str, int]
    epochs: Mapping[str, int]
    now: float


class Accepted(msgspec.Struct, frozen=True):
    """A decision that holds here and now, with the operators whose signatures count."""

    decision: Decision
    signers: tuple[str, ...]


def encode(decision: Decision) -> bytes:
    """Return the canonical bytes that are signed."""
    value: dict[str, Json] = msgspec.to_builtins(decision)
    value["nodes"] = list(decision.nodes)
    return canonical.encode(value)


def decode(envelope: dsse.Envelope) -> Decision | Refused:
    """Return the decision in an envelope, well-formed but not verified."""
    if envelope.payload_type != dsse.DECISION:
        return Refused(Reason.ENVELOPE_INVALID, f"payload type {envelope.payload_type!r}")
    try:
        payload = envelope.content()
        canonical.decode(payload)
        decision = msgspec.json.decode(payload, type=Decision)
        _check(decision)
    except (DecodeError, InvalidName, *MALFORMED) as error:
        return Refused(Reason.ENVELOPE_INVALID, str(error))
    return decision


def _check(decision: Decision) -> None:
    ids.check_ulid(decision.decision_id)
    ids.check_hex64(decision.action_hash, "action_hash")
    if not 1 <= len(decision.nodes) <= MAX_DECISION_NODES:
        raise DecodeError(f"a decision names 1 to {MAX_DECISION_NODES} nodes")
    if len(set(decision.nodes)) != len(decision.nodes):
        raise DecodeError("a decision names a node twice")
    for node in decision.nodes:
        ids.check_node_id(node)
    if not 0 < decision.expires_at - decision.not_before <= MAX_DECISION_SECONDS:
        raise DecodeError(f"a decision is valid for 1 to {MAX_DECISION_SECONDS} seconds")
    if decision.uses < 1 or decision.epoch < 0:
        raise DecodeError("uses must be at least 1 and epoch at least 0")
    if len(decision.comment) > MAX_COMMENT:
        raise DecodeError(f"comment is longer than {MAX_COMMENT} characters")


def judge(
    envelope: dsse.Envelope | None, capability: Capability, action: bytes, context: Context
) -> Accepted | Refused:
    """Judge whether this host may do an action now; the first check that fails names the reason.

    `action` is the canonical bytes of what is about to be done, built by the host itself.
    """
    if envelope is None:
        return Refused(Reason.UNSIGNED, "the offer carries no decision")
    decision = decode(envelope)
    if isinstance(decision, Refused):
        return decision
    held = _signers(envelope, capability, context)
    if isinstance(held, Refused):
        return held
    refused = (
        _check_target(decision, capability, action, context)
        or _check_replay(decision, context)
        or _check_clock(decision, context.now)
    )
    if refused is not None:
        return refused
    if decision.verdict != "approve":
        return Refused(Reason.VERDICT_DENIED, decision.comment or "the verdict is deny")
    if context.policy.rule(capability).signature == "deny":
        return Refused(Reason.POLICY_DENIED, f"policy.toml: {capability} is denied on this host")
    return Accepted(decision, held)


def _signers(
    envelope: dsse.Envelope, capability: Capability, context: Context
) -> tuple[str, ...] | Refused:
    rule = context.policy.rule(capability)
    everyone = context.roster.keys(frozenset({"admin", "operator", "viewer", "automation"}))
    # The roster has the last word on whose key an id means; the coordinator's own key stands
    # here only so that its signature is told apart from a stranger's.
    known = {context.coordinator_id: context.coordinator_key, **everyone}
    if not envelope.signatures:
        return Refused(Reason.UNSIGNED, "the envelope carries no signature")
    if not any(signature.keyid in known for signature in envelope.signatures):
        return Refused(Reason.SIGNER_UNKNOWN, f"keyid {envelope.signatures[0].keyid[:64]!r}")
    try:
        held = dsse.signers(envelope, known)
    except DecodeError as error:
        return Refused(Reason.ENVELOPE_INVALID, str(error))
    if not held:
        return Refused(Reason.SIGNATURE_INVALID, "no signature matches the payload")
    deciding = context.roster.keys(DECIDING_ROLES)
    if rule.signature == "coordinator":
        # Of the automations only the coordinator itself is let in by this policy.
        automations = context.roster.keys(frozenset({"automation"})).items()
        deciding |= {k: v for k, v in automations if v == context.coordinator_key}
    counted = tuple(signer for signer in held if signer in deciding)
    if not counted:
        return Refused(Reason.ROLE_FORBIDDEN, f"signed by {', '.join(held)}, none may decide")
    if len(counted) < rule.quorum:
        return Refused(Reason.QUORUM_MISSING, f"{len(counted)} of {rule.quorum} signatures")
    return counted


def _check_target(
    decision: Decision, capability: str, action: bytes, context: Context
) -> Refused | None:
    if decision.capability != capability:
        return Refused(Reason.CAPABILITY_MISMATCH, f"{decision.capability} is not {capability}")
    if decision.scope != context.scope:
        return Refused(Reason.SCOPE_MISMATCH, f"{decision.scope} is not {context.scope}")
    if context.node_id not in decision.nodes:
        return Refused(Reason.NODE_NOT_NAMED, f"{context.node_id} is not among the nodes")
    own = canonical_hash(action)
    if decision.action_hash != own:
        return Refused(Reason.ACTION_MISMATCH, f"signed {decision.action_hash[:16]}, is {own[:16]}")
    return None


def _check_replay(decision: Decision, context: Context) -> Refused | None:
    least = max(context.roster.epoch(decision.scope), context.epochs.get(decision.scope, 0))
    if decision.epoch < least:
        return Refused(Reason.EPOCH_OLD, f"epoch {decision.epoch} is below {least}")
    used = context.used.get(decision.decision_id, 0)
    if used >= decision.uses:
        return Refused(Reason.REPLAYED, f"decision {decision.decision_id} was used {used} times")
    return None


def _check_clock(decision: Decision, now: float) -> Refused | None:
    # Written so that a clock that is not a number refuses.
    if not now >= decision.not_before - CLOCK_SKEW_SECONDS:
        return Refused(Reason.NOT_YET_VALID, f"valid from {decision.not_before}, now {now:.0f}")
    if now >= decision.expires_at:
        return Refused(Reason.EXPIRED, f"expired at {decision.expires_at}, now {now:.0f}")
    return None


def canonical_hash(action: bytes) -> str:
    """Return the hash that a decision carries for the canonical bytes of an action."""
    return hashlib.sha256(action).hexdigest()


def apply_action(root: str, removal_limit: int) -> bytes:
    """Return the canonical action of applying plans: the Merkle root over hosts, and the guard.

    `removal_limit` is the most resources that a host may remove under this decision.
    """
    return canonical.encode(
        {
            "capability": "state.apply",
            "plan_root": root,
            "removal_limit": removal_limit,
            "v": 1,
        }
    )


def plan_leaf(node_id: str, plan_digest: str) -> bytes:
    """Return the leaf that stands for one host's plan in the tree over hosts."""
    return canonical.encode({"node": node_id, "plan": plan_digest})


def plan_tree(plans: Mapping[str, str]) -> tuple[str, dict[str, PlanProof]]:
    """Return root and each host's proof for a mapping of node id to plan digest."""
    order = sorted(plans)
    leaves = [plan_leaf(node, plans[node]) for node in order]
    top = merkle.root(leaves).hex()
    proofs = {
        node: PlanProof(
            top, index, len(order), tuple(step.hex() for step in merkle.branch(leaves, index))
        )
        for index, node in enumerate(order)
    }
    return top, proofs


def plan_proof_holds(proof: PlanProof, node_id: str, plan_digest: str) -> bool:
    """Say whether a host's plan digest is part of the tree that the proof's root names."""
    try:
        top = ids.check_hex64(proof.root, "root")
        path = [ids.check_hex64(step, "path") for step in proof.path]
    except InvalidName:
        return False
    leaf = plan_leaf(node_id, plan_digest)
    return merkle.verify(top, leaf, proof.index, proof.count, path)
