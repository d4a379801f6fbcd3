"""What an operator signs, computed here from the plan documents that were shown.

The coordinator's own claims (digests, root, action hash, node list) are compared, never used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from client.failures import BadUsageError, ClientError, UntrustedError
from client.render.words import counted
from protocol import decisions, dsse, ids
from protocol.api import Run
from protocol.decisions import Decision, Verdict
from protocol.keys import SigningKey
from protocol.limits import CLOCK_SKEW_SECONDS, MAX_DECISION_NODES
from protocol.policy import Capability
from protocol.reasons import Refused
from protocol.reports import BOUND, PlanResult, item_digest, plan_digest
from protocol.roster import Roster

# A signature that lies around is a risk, one that ends before the hosts come back is useless.
DECISION_SECONDS = 3_600
# Where several people have to sign, they have a working day for it; the run itself waits a day.
COLLECTING_SECONDS = 8 * 3_600


class HostPlan(msgspec.Struct, frozen=True):
    """One host's plan document whose digests were recomputed and hold."""

    node_id: str
    name: str | None
    plan: PlanResult

    @property
    def removals(self) -> int:
        """How many resources the plan removes."""
        return sum(item.action == "remove" for item in self.plan.resources)

    @property
    def has_changes(self) -> bool:
        """Whether there is anything for a decision to bind."""
        return any(item.action in BOUND for item in self.plan.resources)


class Statement(msgspec.Struct, frozen=True):
    """What a signature would cover: these hosts with these plans, and the guard on removals.

    Of a command there is no plan: the action hash is that of its document, and `seconds` how long
    it waits for hosts that are away.
    """

    nodes: tuple[str, ...]
    root: str
    removal_limit: int
    action_hash: str
    capability: Capability = "state.apply"
    seconds: int = 0


def check_plan(node_id: str, name: str | None, plan: PlanResult) -> HostPlan:
    """Return a plan document whose every digest follows from what it says.

    Raises:
        UntrustedError: it is another host's, or a digest does not belong to what would be shown.
    """
    shown = name or node_id
    if plan.node_id != node_id:
        raise _lie(f"the plan for {shown} is one of host {plan.node_id}", "plan_of_other_host")
    for item in plan.resources:
        expected = item_digest(item) if item.action in BOUND else ""
        if item.digest != expected:
            raise _lie(
                f"the plan of {shown} shows one thing for {item.address} and binds another",
                "item_digest_wrong",
            )
    # A host may leave the total out: it follows from the items, and is never taken as given.
    if plan.digest and plan.digest != plan_digest(plan.resources):
        raise _lie(f"the plan of {shown} does not have the digest it claims", "plan_digest_wrong")
    return HostPlan(node_id, name, plan)


def shown_statement(plans: Sequence[HostPlan], removal_limit: int) -> Statement:
    """Return what a signature over the changes in these plans covers.

    Hosts on which nothing would change have no part in it, unless nothing changes anywhere.
    """
    changing = [host for host in plans if host.has_changes]
    return statement(changing or plans, removal_limit)


def statement(plans: Sequence[HostPlan], removal_limit: int) -> Statement:
    """Return what a signature over exactly these plans covers.

    Raises:
        BadUsageError: a host would remove more than the limit, or there are too many hosts.
    """
    if len(plans) > MAX_DECISION_NODES:
        raise BadUsageError(f"one decision names at most {MAX_DECISION_NODES} nodes")
    tree = {host.node_id: plan_digest(host.plan.resources) for host in plans}
    root, _ = decisions.plan_tree(tree)
    action = decisions.apply_action(root, removal_limit)
    return Statement(tuple(sorted(tree)), root, removal_limit, decisions.canonical_hash(action))


def check_removals(plans: Sequence[HostPlan], removal_limit: int) -> None:
    """Check that no host would remove more than the operator allows.

    Raises:
        BadUsageError: one would; the message says how many.
    """
    most = max(plans, key=lambda host: host.removals, default=None)
    if most is not None and most.removals > removal_limit:
        raise BadUsageError(
            f"{most.name or most.node_id} would remove {counted(most.removals, 'resource')}, "
            f"and may remove {removal_limit or 'none'}",
            next_command=f"if that is meant: add --removal-limit {most.removals}",
            code="removal_limit",
        )


def check_run(run: Run, plans: Sequence[HostPlan], removal_limit: int, scope: str) -> Statement:
    """Return what is to be signed for a run that waits, if the run is the one that was shown.

    Hosts whose plan holds no change may be left out of a run; no other host may come or go.

    Raises:
        UntrustedError: step, scope, hosts, plans, guard or action hash differ from what was shown.
    """
    if run.step != "state.apply":
        raise _lie(f"run {run.run_id} is a {run.step}, not an apply", "run_changed")
    if run.scope != scope:
        raise _lie(f"run {run.run_id} is in scope {run.scope}, not {scope}", "run_changed")
    if run.removal_limit != removal_limit:
        raise UntrustedError(
            f"run {run.run_id} allows {run.removal_limit} removals a host, you allowed "
            f"{removal_limit}; nothing was signed",
            next_command="if that is meant: "
            f"standfast approve {run.run_id} --removal-limit {run.removal_limit}",
            code="removal_limit_changed",
        )
    shown = {host.node_id: host for host in plans}
    placed = {step.node_id for step in run.steps}
    _check_nodes(run, shown, placed)
    for step in run.steps:
        own = plan_digest(shown[step.node_id].plan.resources)
        if step.plan_digest and step.plan_digest != own:
            raise _lie(
                f"run {run.run_id} would apply another plan on {step.name or step.node_id} "
                "than the one shown",
                "run_changed",
            )
    made = statement([shown[node] for node in sorted(placed)], removal_limit)
    if run.plan_root != made.root or run.action_hash != made.action_hash:
        raise _lie(
            f"run {run.run_id} asks for a signature over something else than the plan shown",
            "action_hash_wrong",
            f"shown {made.action_hash[:16]}, asked for {(run.action_hash or 'nothing')[:16]}",
        )
    return made


def decide(  # noqa: PLR0913 - what a signature is made of, each by its name
    made: Statement,
    verdict: Verdict,
    key: SigningKey,
    *,
    scope: str,
    roster: Roster,
    now: float,
    entropy: bytes,
    comment: str = "",
    seconds: int = 0,
) -> dsse.Envelope:
    """Return a signed decision for one use per host, valid from now on.

    `entropy` is 10 random bytes, `roster` the client's own verified one. It is valid for `seconds`
    if that is more than the usual time.
    """
    operator_id = ids.operator_id(key.public)
    rule = decisions.required(roster, scope, made.capability)
    several = verdict == "approve" and (rule.quorum > 1 or rule.requester_excluded)
    usual = COLLECTING_SECONDS if several else DECISION_SECONDS
    decision = Decision(
        v=1,
        decision_id=ids.ulid(now, entropy),
        verdict=verdict,
        capability=made.capability,
        action_hash=made.action_hash,
        nodes=made.nodes,
        scope=scope,
        epoch=roster.epoch(scope),
        not_before=int(now),
        expires_at=int(now) + max(usual, seconds),
        uses=1,
        requested_by=operator_id,
        comment=comment,
        roster_version=roster.version,
    )
    return dsse.sign(dsse.DECISION, decisions.encode(decision), key, operator_id)


def check_decision(
    envelope: dsse.Envelope, made: Statement, *, scope: str, roster: Roster, now: float
) -> Decision:
    """Return a decision that others have signed, if it says no more than what was shown to us.

    What the first of them fixed is signed by all: each field that a host would judge by is held
    against the plans that were shown, our own roster and our own clock.

    Raises:
        UntrustedError: it covers something else, or more, than what was shown.
        ClientError: it is over, or was made before the operators drew a line.
    """
    found = decisions.decode(envelope)
    if isinstance(found, Refused):
        raise _lie(f"the decision that collects signatures is none: {found.detail}", "not_ours")
    wrong = _widened(found, made, scope, roster) or _later(found, now)
    if wrong is not None:
        raise UntrustedError(
            f"the decision that collects signatures {wrong}; nothing was signed",
            next_command=f"standfast approvals revoke {found.decision_id}",
            code="decision_changed",
        )
    if now >= found.expires_at or found.epoch < roster.epoch(scope):
        raise ClientError(
            "the decision that collects signatures is over",
            next_command=f"standfast approvals revoke {found.decision_id}, then approve anew",
            code="expired",
        )
    return found


def _widened(found: Decision, made: Statement, scope: str, roster: Roster) -> str | None:
    if found.verdict != "approve" or found.capability != made.capability:
        return f"is a {found.verdict} of {found.capability}"
    if found.action_hash != made.action_hash:
        return f"covers {found.action_hash[:16]}, the plans shown make {made.action_hash[:16]}"
    if set(found.nodes) != set(made.nodes):
        return "names other hosts than those shown"
    if found.scope != scope or found.uses != 1:
        return f"is for {found.uses} uses in {found.scope}"
    if found.expires_at - found.not_before > max(COLLECTING_SECONDS, made.seconds):
        return f"is valid for {found.expires_at - found.not_before} seconds"
    if found.roster_version > roster.version:
        return f"was made under roster {found.roster_version}, which nobody has shown us"
    return None


def _later(found: Decision, now: float) -> str | None:
    # A yes to what is shown now must not lie in store for a day when nobody thinks of it.
    if found.expires_at > now + COLLECTING_SECONDS + CLOCK_SKEW_SECONDS:
        return f"begins {found.not_before - now:.0f} seconds from now"
    return None


def has_signed(envelope: dsse.Envelope, key: SigningKey) -> bool:
    """Say whether a key's own signature stands on an envelope, and holds."""
    own = ids.operator_id(key.public)
    return own in dsse.signers(envelope, {own: key.public})


def _check_nodes(run: Run, shown: Mapping[str, HostPlan], placed: set[str]) -> None:
    if len(placed) != len(run.steps):
        raise _lie(f"run {run.run_id} names a host twice", "run_changed")
    added = placed - set(shown)
    if added:
        raise _lie(
            f"run {run.run_id} names hosts that were not shown",
            "node_added",
            ", ".join(sorted(added)[:5]),
        )
    lost = [node for node, host in shown.items() if host.has_changes and node not in placed]
    if lost:
        raise _lie(
            f"run {run.run_id} leaves out hosts that were shown",
            "node_lost",
            ", ".join(sorted(lost)[:5]),
        )


def _lie(message: str, code: str, where: str = "") -> ClientError:
    return UntrustedError(
        f"{message}; nothing was signed",
        where=where,
        next_command="standfast state plan NODE, and look at who can write to the coordinator",
        code=code,
    )
