"""What a host's link should send it now: offers under new fences, cancels; and what leases say.

A lease keeps its name over all offers of a step; the fence tells the offers apart.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from coordinator.domain import run_plans, secrets
from coordinator.domain.run_plans import BadPlan
from coordinator.domain.run_records import record
from coordinator.store import decisions, module_versions, runs
from coordinator.store.database import Tx
from coordinator.store.decisions import StoredDecision
from coordinator.store.runs import StoredRun
from protocol import decisions as rules
from protocol.errors import DecodeError
from protocol.limits import MAX_OFFERS
from protocol.messages import Cancel, ModuleVersion, Offer, encode
from protocol.reasons import Reason
from protocol.run_events import LeaseRenewed, Offered, StepExpired, StepWithdrawn
from protocol.runs import (
    LEASE_SECONDS,
    STEP_FINAL,
    CancelStep,
    OfferStep,
    next_actions,
    next_wake,
)

# A lease is renewed once half of it is over: every second heartbeat writes, the others do not.
RENEW_BELOW = LEASE_SECONDS / 2


class Work(msgspec.Struct, frozen=True):
    """What to send to a host."""

    offers: tuple[Offer, ...]
    cancels: tuple[Cancel, ...]


class Standing(msgspec.Struct, frozen=True):
    """A host's part in the runs that still move, by run and by lease.

    `due` says whether `take` would have something to send, `again_at` when time alone may bring
    something (epoch seconds).
    """

    due: bool
    again_at: float | None
    leases: frozenset[str]
    runs: frozenset[str]


def standing(tx: Tx, node_id: str, *, resend: Collection[str] | None = None) -> Standing:
    """Return what a host has to do with now; reads only."""
    live = runs.live_on(tx, node_id)
    times = (next_wake(run.definition, run.state, tx.now) for run in live)
    return Standing(
        due=any(_wanted(run, node_id, tx.now, resend) is not None for run in live),
        again_at=min((at for at in times if at is not None), default=None),
        leases=frozenset(run.state.steps[node_id].lease for run in live),
        runs=frozenset(run.run_id for run in live),
    )


def take(tx: Tx, node_id: str, *, resend: Collection[str] | None = None) -> Work:
    """Put what is due to a host under new fences, and return what to send.

    Call it only for a host whose journal is stored to its end. `resend` are the leases that were
    offered over the link as it is: with it, offers of an earlier link are made again at once, for
    they may have been lost with it.
    """
    offers: list[Offer] = []
    cancels: list[Cancel] = []
    live = runs.live_on(tx, node_id)
    held = sum(run.state.steps[node_id].phase not in {"pending", *STEP_FINAL} for run in live)
    for run in live:
        match _wanted(run, node_id, tx.now, resend):
            case CancelStep(fence=fence):
                cancels.append(Cancel(run.run_id, fence))
            case OfferStep(fence=fence):
                pending = run.state.steps[node_id].phase == "pending"
                if pending and held >= MAX_OFFERS:
                    continue
                held += pending
                offer = _offer(tx, run, node_id, fence)
                offers += [offer] if offer is not None else []
            case None:
                pass
    return Work(tuple(offers), tuple(cancels))


def _wanted(
    run: StoredRun, node_id: str, now: float, resend: Collection[str] | None
) -> OfferStep | CancelStep | None:
    for action in next_actions(run.definition, run.state, now):
        if isinstance(action, OfferStep | CancelStep) and action.node == node_id:
            return action
    step = run.state.steps[node_id]
    lost = resend is not None and step.phase == "offered" and step.lease not in resend
    stopping = run.state.cancelling or step.cancelling
    return OfferStep(node_id, step.fence + 1) if lost and not stopping else None


def _offer(tx: Tx, run: StoredRun, node_id: str, fence: int) -> Offer | None:
    offer = _built(tx, run, node_id, fence)
    if isinstance(offer, BadPlan):
        record(tx, run, StepExpired(tx.now, node_id, f"{offer.reason}: {offer.detail}"))
        return None
    event = Offered(tx.now, node_id, fence, offer.lease, tx.now + LEASE_SECONDS)
    moved = record(tx, run, event)
    return offer if moved.state.steps[node_id].fence == fence and moved is not run else None


def _built(tx: Tx, run: StoredRun, node_id: str, fence: int) -> Offer | BadPlan:
    versions: list[ModuleVersion] = []
    for ref in run.details.modules:
        version = module_versions.get(tx, run.details.scope, ref.name, ref.sha256)
        if version is None:
            return BadPlan(Reason.MODULE_INVALID, f"module {ref.name} is no longer stored")
        versions.append(version)
    offer = Offer(
        run_id=run.run_id,
        step=run.definition.step,
        lease=run.state.steps[node_id].lease or tx.ulid(),
        fence=fence,
        operation_id=run.details.operations[node_id],
        modules=tuple(versions),
        rollback_of=run.details.rollback_of or "",
    )
    if run.definition.step in {"state.plan", "state.apply"}:
        applying = run.definition.step == "state.apply"
        sealed = secrets.for_offer(tx, node_id, versions, applying=applying)
        offer = msgspec.structs.replace(offer, secrets=sealed)
    if run.definition.step == "state.apply":
        with_decision = _approved(tx, run, node_id, offer)
        if isinstance(with_decision, BadPlan):
            return with_decision
        offer = with_decision
    if run.definition.step == "command.run":
        signed = _signed(tx, run)
        if isinstance(signed, BadPlan):
            return signed
        offer = msgspec.structs.replace(
            offer,
            decision=signed.envelope,
            command=run.details.command,
            expires_at=run.definition.deadline,
        )
    try:
        encode(offer)
    except DecodeError as error:
        return BadPlan(Reason.UNSUPPORTED, f"the offer does not fit a frame: {error}")
    return offer


def _approved(tx: Tx, run: StoredRun, node_id: str, offer: Offer) -> Offer | BadPlan:
    state, fleet = run.state, run.details.plan
    decision = _signed(tx, run)
    if isinstance(decision, BadPlan):
        return decision
    plan_run = runs.get(tx, state.plan_run_id) if state.plan_run_id is not None else None
    if plan_run is None or fleet is None:
        return BadPlan(Reason.UNSIGNED, f"run {run.run_id} has no plan")
    plan = run_plans.read_plan(tx, plan_run, node_id)
    if isinstance(plan, BadPlan):
        return plan
    return msgspec.structs.replace(
        offer,
        decision=decision.envelope,
        approved=run_plans.approved_items(plan),
        proof=rules.plan_tree(fleet.digests)[1][node_id],
        removal_limit=run.details.removal_limit,
        expires_at=float(decision.expires_at),
    )


def _signed(tx: Tx, run: StoredRun) -> StoredDecision | BadPlan:
    named = run.state.decision_id
    decision = decisions.get(tx, named) if named is not None else None
    return decision or BadPlan(Reason.UNSIGNED, f"run {run.run_id} has no decision")


def heartbeat(
    tx: Tx, node_id: str, leases: Collection[str], *, offered_here: Collection[str] | None
) -> None:
    """Renew the leases that a host says it holds, and take back what it cannot hold.

    `offered_here` are the leases offered over this link, or None while the host's journal is not
    stored to its end. A cancelled step whose offer went out over an earlier link, and of which the
    host knows nothing now, is lost with that link: it is withdrawn.
    """
    for run in runs.live_on(tx, node_id):
        step = run.state.steps[node_id]
        if step.lease in leases:
            if step.lease_expires - tx.now < RENEW_BELOW:
                expires = tx.now + LEASE_SECONDS
                record(tx, run, LeaseRenewed(tx.now, node_id, step.fence, expires))
        elif (
            (run.state.cancelling or step.cancelling)
            and step.phase == "offered"
            and offered_here is not None
            and step.lease not in offered_here
        ):
            moved = record(tx, run, StepWithdrawn(tx.now, node_id, "the offer was lost"))
            run_plans.after(tx, moved)
