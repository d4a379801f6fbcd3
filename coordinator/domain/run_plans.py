"""From plans to an approval: what the hosts planned, checked, and what a decision must bind.

The coordinator checks digests so that nobody is asked to sign what cannot hold; client and host
check them again, since neither trusts the coordinator.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from coordinator.domain.run_records import announce, record
from coordinator.store import artifacts, runs
from coordinator.store.database import Tx
from coordinator.store.runs import FleetPlan, RunDetails, StoredRun
from protocol import decisions, reports
from protocol.limits import MAX_APPROVED_ITEMS
from protocol.reasons import Reason
from protocol.reports import PlanResult
from protocol.run_events import PlanFailed, Planned, PlanRequested
from protocol.runs import RUN_FINAL, RunDefinition, initial

# A plan or a drift look that its host has not begun after this time is not waited for: the person
# who asked has gone. Offline hosts show up in it at once as `pending`.
READ_SECONDS = 900.0
# An apply waits for a signature, and then for its host, at most a day.
APPLY_SECONDS = 86_400.0


class BadPlan(msgspec.Struct, frozen=True):
    """A plan that cannot be approved, and why."""

    reason: Reason
    detail: str


def read_plan(tx: Tx, run: StoredRun, node: str) -> PlanResult | BadPlan:
    """Return a node's plan from a plan run, its digests checked."""
    step = run.state.steps.get(node)
    if step is None or step.phase != "succeeded":
        shown = step.phase if step is not None else "missing"
        detail = f"the plan of {node} is {shown}" + (f": {step.message}" if step else "")
        return BadPlan(_reason(step.reason if step else None), detail)
    data = artifacts.read(tx, step.artifact) if step.artifact is not None else None
    if data is None:
        return BadPlan(Reason.PLAN_CHANGED, f"the plan of {node} is no longer stored")
    try:
        plan = msgspec.json.decode(data, type=PlanResult)
    except (msgspec.MsgspecError, RecursionError) as error:
        return BadPlan(Reason.PLAN_CHANGED, f"the plan of {node} cannot be read: {error}")
    return plan if (wrong := _wrong(plan, node)) is None else BadPlan(Reason.PLAN_CHANGED, wrong)


def _reason(text: str | None) -> Reason:
    return Reason(text) if text in set(Reason) else Reason.PLAN_CHANGED


def _wrong(plan: PlanResult, node: str) -> str | None:
    if plan.node_id != node:
        return f"{node} sent the plan of {plan.node_id}"
    bound = approved_items(plan)
    if len(bound) > MAX_APPROVED_ITEMS:
        return f"the plan of {node} has {len(bound)} items, more than {MAX_APPROVED_ITEMS}"
    for item in plan.resources:
        if item.digest and item.digest != reports.item_digest(item):
            return f"the plan of {node}: the digest of {item.address} is not its own"
    own = reports.plan_digest(plan.resources)
    return None if plan.digest in {own, ""} else f"the plan of {node} has not the digest it claims"


def approved_items(plan: PlanResult) -> tuple[str, ...]:
    """Return the digests that an approval of this plan binds."""
    return tuple(sorted(item.digest for item in plan.resources if item.digest))


def fleet_plan(plans: Mapping[str, PlanResult], removal_limit: int) -> FleetPlan:
    """Return what a decision over these plans must carry."""
    digests = {node: reports.plan_digest(plan.resources) for node, plan in plans.items()}
    root, _ = decisions.plan_tree(digests)
    action = decisions.apply_action(root, removal_limit)
    return FleetPlan(digests, root, decisions.canonical_hash(action))


def request_plan(tx: Tx, apply: StoredRun) -> StoredRun:
    """Make the plan run that an apply without one needs, and return the apply after it."""
    nodes = apply.definition.nodes
    plan_id = tx.ulid()
    deadline = tx.now + READ_SECONDS
    definition = RunDefinition(plan_id, "state.plan", nodes, deadline)
    details = RunDetails(
        scope=apply.details.scope,
        created_at=tx.now,
        actor=apply.details.actor,
        modules=apply.details.modules,
        removal_limit=0,
        operations={node: tx.ulid() for node in nodes},
        rollback_of=apply.details.rollback_of,
    )
    plan = StoredRun(definition, details, initial(definition))
    runs.add(tx, plan)
    announce(tx, plan, apply.details.actor)
    for node in nodes:
        tx.wake(f"node:{node}")
    return record(tx, apply, PlanRequested(tx.now, plan_id))


def settle(tx: Tx, apply: StoredRun) -> StoredRun:
    """Move an apply on if the plan run that it waits for is over."""
    plan_id = apply.state.plan_run_id
    plan_run = runs.get(tx, plan_id) if plan_id is not None else None
    if apply.state.phase != "planning" or plan_run is None or plan_run.state.phase not in RUN_FINAL:
        return apply
    plans: dict[str, PlanResult] = {}
    for node in apply.definition.nodes:
        plan = read_plan(tx, plan_run, node)
        if isinstance(plan, BadPlan):
            return record(tx, apply, PlanFailed(tx.now, plan.reason, plan.detail))
        plans[node] = plan
    planned = fleet_plan(plans, apply.details.removal_limit)
    bound = tuple(node for node, plan in plans.items() if approved_items(plan))
    details = msgspec.structs.replace(apply.details, plan=planned)
    with_plan = msgspec.structs.replace(apply, details=details)
    return record(tx, with_plan, Planned(tx.now, bound))


def after(tx: Tx, run: StoredRun) -> None:
    """Move on the applies that waited for this run, if it is a plan run that is over."""
    if run.definition.step == "state.plan" and run.state.phase in RUN_FINAL:
        for apply in runs.waiting_for_plan(tx, run.run_id):
            settle(tx, apply)
