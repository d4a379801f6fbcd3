"""The decision: a signed yes or no on the hash of one action, and the checks before a host acts.

The order of checks is fixed (design, section 4): envelope, signatures and quorum, scope, node and
action hash, replay, clock, policy; then the caller consumes the decision on disk and executes.
There is no unsigned way round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from protocol import authority, canonical, dsse, ids, merkle, standing, windows
from protocol.authority import Work
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.limits import (
    CLOCK_SKEW_SECONDS,
    MAX_COMMENT,
    MAX_DECISION_NODES,
    MAX_DECISION_SECONDS,
    MAX_DECISION_TREE,
)
from protocol.node_statement import NodeStatement
from protocol.policy import Capability, CapabilityRule, Policy
from protocol.reasons import Reason, Refused
from protocol.roster import ApprovalRule, Roster, stricter
from protocol.standing import Standing

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


class NodeProof(msgspec.Struct, frozen=True):
    """A host's place and audit path in the tree of nodes that a decision names by its root."""

    index: int
    path: tuple[str, ...] = ()


class Context(msgspec.Struct, frozen=True):
    """What a host knows when it judges: itself, whom it trusts, its memory and its clock.

    `used` maps decision ids to how often they were consumed here; `epochs` is the highest epoch
    set by a roster per scope (never by a decision: one operator could lock out all others);
    `now` is the later of the wall clock and the latest signed time seen. `statement` is what the
    operators have signed about this host, `revoked` holds the decisions that they took back,
    `node_proof` is the branch that came with the offer, `standing` the schedule's order if it is
    one, and `acted` when this host acted on the decision last.
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
    statement: NodeStatement | None = None
    revoked: frozenset[str] = frozenset()
    node_proof: NodeProof | None = None
    standing: Standing | None = None
    acted: float | None = None


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
    _check_nodes(decision)
    if not 0 < decision.expires_at - decision.not_before <= MAX_DECISION_SECONDS:
        raise DecodeError(f"a decision is valid for 1 to {MAX_DECISION_SECONDS} seconds")
    if decision.uses < 1 or decision.epoch < 0 or decision.roster_version < 0:
        raise DecodeError("uses must be at least 1, epoch and roster_version at least 0")
    if len(decision.comment) > MAX_COMMENT:
        raise DecodeError(f"comment is longer than {MAX_COMMENT} characters")


def _check_nodes(decision: Decision) -> None:
    if decision.nodes_root:
        ids.check_hex64(decision.nodes_root, "nodes_root")
        if decision.nodes:
            raise DecodeError("a decision names its nodes one by one or by a root, not both")
        if not 1 <= decision.nodes_count <= MAX_DECISION_TREE:
            raise DecodeError(f"nodes_count is 1 to {MAX_DECISION_TREE}")
        return
    if decision.nodes_count:
        raise DecodeError("nodes_count without nodes_root")
    if not 1 <= len(decision.nodes) <= MAX_DECISION_NODES:
        raise DecodeError(f"a decision names 1 to {MAX_DECISION_NODES} nodes")
    if len(set(decision.nodes)) != len(decision.nodes):
        raise DecodeError("a decision names a node twice")
    for node in decision.nodes:
        ids.check_node_id(node)


def required(roster: Roster, scope: str, capability: Capability) -> ApprovalRule:
    """Return what approval of some work takes in a scope, by the roster alone.

    A host's own policy may ask for more, never for less.
    """
    return roster.approval(scope, capability)


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
    held = _signers(envelope, decision, capability, context)
    if isinstance(held, Refused):
        return held
    refused = (
        _check_target(decision, capability, action, context)
        or _check_replay(decision, context)
        or _check_clock(decision, context)
    )
    if refused is not None:
        return refused
    if decision.verdict != "approve":
        return Refused(Reason.VERDICT_DENIED, f"the verdict is deny: {decision.comment}")
    refused = _check_policy(held, capability, context)
    return Accepted(decision, held) if refused is None else refused


def _signers(
    envelope: dsse.Envelope, decision: Decision, capability: Capability, context: Context
) -> tuple[str, ...] | Refused:
    roster = context.roster
    held = authority.holders(envelope, roster, (context.coordinator_id, context.coordinator_key))
    if isinstance(held, Refused):
        return held
    able = authority.deciders(held, roster, _work(capability, context))
    if isinstance(able, Refused):
        return able
    if decision.roster_version > roster.version:
        text = f"signed under roster {decision.roster_version}, this host holds {roster.version}"
        return Refused(Reason.ROSTER_BEHIND, text)
    return authority.counted(able, held, roster, _rule(capability, context), decision.requested_by)


def _work(capability: Capability, context: Context) -> Work:
    statement, own = context.statement, context.policy.rule(capability)
    return Work(
        capability,
        context.scope,
        None if statement is None else statement.tags,
        context.coordinator_key if own.signature == "coordinator" else b"",
    )


def _rule(capability: Capability, context: Context) -> ApprovalRule:
    own = context.policy.rule(capability)
    asked = ApprovalRule(own.quorum, own.requester_excluded)
    return stricter(asked, required(context.roster, context.scope, capability))


def _check_target(
    decision: Decision, capability: str, action: bytes, context: Context
) -> Refused | None:
    if decision.capability != capability:
        return Refused(Reason.CAPABILITY_MISMATCH, f"{decision.capability} is not {capability}")
    if decision.scope != context.scope:
        return Refused(Reason.SCOPE_MISMATCH, f"{decision.scope} is not {context.scope}")
    if not names(decision, context.node_id, context.node_proof):
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
    if decision.decision_id in context.revoked:
        return Refused(Reason.REVOKED, f"decision {decision.decision_id} was taken back")
    return None


def _check_clock(decision: Decision, context: Context) -> Refused | None:
    now = context.now
    # Written so that a clock that is not a number refuses.
    if not now >= decision.not_before - CLOCK_SKEW_SECONDS:
        return Refused(Reason.NOT_YET_VALID, f"valid from {decision.not_before}, now {now:.0f}")
    if now >= decision.expires_at:
        return Refused(Reason.EXPIRED, f"expired at {decision.expires_at}, now {now:.0f}")
    if context.standing is not None:
        return standing.too_early(context.standing, context.acted, now)
    return None


def _check_policy(
    signers: tuple[str, ...], capability: Capability, context: Context
) -> Refused | None:
    own = context.policy.rule(capability)
    if own.signature == "deny":
        return Refused(Reason.POLICY_DENIED, f"policy.toml: {capability} is denied on this host")
    among = _among(own, signers, context.roster)
    if len(among) < _rule(capability, context).quorum:
        text = f"policy.toml: {capability} is decided by {', '.join(own.operators)} on this host"
        return Refused(Reason.POLICY_OPERATOR, text)
    if not windows.any_holds(own.windows, context.now):
        text = f"policy.toml: {capability} only at {', '.join(own.windows)} (UTC)"
        return Refused(Reason.POLICY_WINDOW, text)
    return None


def _among(own: CapabilityRule, signers: tuple[str, ...], roster: Roster) -> tuple[str, ...]:
    # Those of the signers that the host's owner lets decide, by id or by username.
    if not own.operators:
        return signers
    named = {authority.find_id(roster, text) for text in own.operators}
    return tuple(signer for signer in signers if signer in named)


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


def node_leaf(node_id: str) -> bytes:
    """Return the leaf that stands for one host in the tree of nodes that a decision names."""
    return canonical.encode({"node": node_id})


def node_tree(nodes: Iterable[str]) -> tuple[str, dict[str, NodeProof]]:
    """Return root and each host's proof for the hosts that one decision names; sorted, each once.

    The root goes into `Decision.nodes_root`, their number into `nodes_count`.
    """
    order = sorted(set(nodes))
    leaves = [node_leaf(node) for node in order]
    proofs = {
        node: NodeProof(index, tuple(step.hex() for step in merkle.branch(leaves, index)))
        for index, node in enumerate(order)
    }
    return merkle.root(leaves).hex(), proofs


def names(decision: Decision, node_id: str, proof: NodeProof | None) -> bool:
    """Say whether a decision names a host, one by one or by the root that its branch leads to."""
    if not decision.nodes_root:
        return node_id in decision.nodes
    if proof is None:
        return False
    try:
        path = [ids.check_hex64(step, "path") for step in proof.path]
    except InvalidName:
        return False
    top = bytes.fromhex(decision.nodes_root)
    return merkle.verify(top, node_leaf(node_id), proof.index, decision.nodes_count, path)
