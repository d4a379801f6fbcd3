"""Decisions on runs: the same checks that a host makes, in the transaction of the change.

A host checks again, with its own roster, policy and memory: what is accepted here binds no host.
"""

from __future__ import annotations

from coordinator.domain import roster, run_views
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, not_found
from coordinator.domain.run_records import record
from coordinator.store import decisions as stored
from coordinator.store import runs
from coordinator.store.database import Tx
from coordinator.store.runs import StoredRun
from protocol import api, decisions, dsse
from protocol.decisions import Accepted, Context, Decision
from protocol.policy import CapabilityRule, Policy
from protocol.reasons import Reason, Refused
from protocol.roster import DECIDING_ROLES, TrustedRoster
from protocol.run_events import Approved, Denied

# The widest policy that a host may have: what no host could accept is refused here already.
_WIDEST = Policy({"state.apply": CapabilityRule("coordinator", 1)})


def add_decision(tx: Tx, actor: Actor, run_id: str, envelope: dsse.Envelope) -> api.Run | Refusal:
    """Take a signed yes or no on a run that waits for one, and return the run after it."""
    run = runs.get(tx, run_id)
    if run is None:
        return not_found("run", run_id)
    decision = decisions.decode(envelope)
    if isinstance(decision, Refused):
        return _refusal(decision)
    if (known := stored.get(tx, decision.decision_id)) is not None:
        if known.run_id == run_id and known.envelope.payload == envelope.payload:
            return run_views.show(tx, run)
        return _refusal(Refused(Reason.REPLAYED, "a decision with this id was taken already"))
    if run.state.phase != "waiting_approval" or run.details.plan is None:
        return Refusal("conflict", f"run {run_id} is {run.state.phase} and waits for no decision")
    trusted = roster.current(tx)
    if trusted is None:
        return _refusal(Refused(Reason.ROSTER_UNKNOWN, "no roster is known yet"))
    signers = _signers(tx, run, envelope, decision, trusted)
    if isinstance(signers, Refused):
        return _refusal(signers)
    stored.add(
        tx,
        stored.StoredDecision(
            decision_id=decision.decision_id,
            run_id=run_id,
            verdict=decision.verdict,
            action_hash=decision.action_hash,
            expires_at=decision.expires_at,
            envelope=envelope,
            submitted_by=actor.operator_id,
            signers=signers,
            at=tx.now,
        ),
    )
    event = (
        Approved(tx.now, decision.decision_id)
        if decision.verdict == "approve"
        else Denied(tx.now, decision.decision_id, decision.comment)
    )
    return run_views.show(tx, record(tx, run, event, actor.principal()))


def _signers(
    tx: Tx, run: StoredRun, envelope: dsse.Envelope, decision: Decision, trusted: TrustedRoster
) -> tuple[str, ...] | Refused:
    missing = sorted(set(run.definition.nodes) - set(decision.nodes))
    if missing:
        return Refused(Reason.NODE_NOT_NAMED, f"{missing[0]} is not among the nodes")
    plan = run.details.plan
    root = plan.root if plan is not None else ""
    context = Context(
        # All checks but this one are the same for each node of the run.
        node_id=run.definition.nodes[0],
        scope=run.details.scope,
        roster=trusted.roster,
        policy=_WIDEST,
        coordinator_id="",
        coordinator_key=b"",
        used={},
        epochs={},
        now=tx.now,
    )
    action = decisions.apply_action(root, run.details.removal_limit)
    # A denial fails the last check but one; what stands before it must hold for it as well.
    verdict = decisions.judge(envelope, "state.apply", action, context)
    match verdict:
        case Accepted():
            return verdict.signers
        case Refused(reason=Reason.VERDICT_DENIED):
            return dsse.signers(envelope, trusted.roster.keys(DECIDING_ROLES | {"automation"}))
        case Refused():
            return verdict


def _refusal(refused: Refused) -> Refusal:
    late = refused.reason in {Reason.REPLAYED, Reason.EXPIRED, Reason.EPOCH_OLD}
    return Refusal(
        "conflict" if late else "bad_request",
        refused.detail,
        {"envelope": (refused.detail,)},
        refused.reason.value,
    )
