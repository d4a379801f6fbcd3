"""Runs: asked for, shown, cancelled, and moved on when time alone moves them.

Decisions, plans, offers and the hosts' reports each have a module of their own beside this one.
"""

from __future__ import annotations

import msgspec

from coordinator.domain import agents, modules, run_plans, run_rollbacks, run_views
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, invalid, not_found
from coordinator.domain.run_plans import APPLY_SECONDS, READ_SECONDS, BadPlan
from coordinator.domain.run_records import announce, record, wake_nodes
from coordinator.store import runs
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.runs import ModuleRef, RunDetails, StoredRun
from protocol import api, ids
from protocol.limits import MAX_APPROVED_ITEMS, MAX_DECISION_NODES, MAX_OFFER_MODULES
from protocol.messages import ModuleVersion
from protocol.reasons import Reason
from protocol.run_events import CancelRequested, RunExpired, StepExpired
from protocol.runs import (
    RUN_FINAL,
    ExpireRun,
    ExpireStep,
    RequestPlan,
    RunDefinition,
    initial,
    next_actions,
)

SCOPE = ids.DEFAULT_SCOPE
# Modules that one run names: an offer has room for three of the largest, or for as many small ones.
MAX_MODULES = 256
# Runs that are not over: each is looked at when its node reports and at every sweep, 0.1 ms each.
MAX_UNFINISHED = 10_000
MAX_UNFINISHED_OF_NODE = 256


def create_run(tx: Tx, actor: Actor, request: api.RunRequest) -> api.Run | Refusal:
    """Start a run over hosts that are named or that a selector means now.

    An apply without `plan_run_id` begins with a plan run of its own.
    """
    if request.step == "command.run":
        return invalid("step", "a command is made with POST /commands")
    if request.step == "state.apply" and request.plan_run_id is not None:
        return _apply_of_plan(tx, actor, request, request.plan_run_id)
    nodes = _nodes(tx, request)
    if isinstance(nodes, Refusal):
        return nodes
    refused = run_rollbacks.refusal(tx, request, nodes)
    if refused is not None:
        return refused
    refs = _modules(tx, request)
    if isinstance(refs, Refusal):
        return refs
    refused = room(tx, nodes)
    if refused is not None:
        return refused
    return run_views.show(tx, _start(tx, actor, request, nodes, refs, None))


def _nodes(tx: Tx, request: api.RunRequest) -> tuple[str, ...] | Refusal:
    if bool(request.nodes) == (request.selector is not None):
        return invalid("nodes", "give either nodes or a selector")
    found = (
        agents.matching(tx, request.selector)
        if request.selector is not None
        else agents.by_ids(tx, dict.fromkeys(request.nodes[: MAX_DECISION_NODES + 1]))
    )
    if isinstance(found, Refusal):
        return found
    if not found:
        return invalid("selector", f"no approved host matches {request.selector!r}")
    if len(found) > MAX_DECISION_NODES:
        return invalid("nodes", f"a run has at most {MAX_DECISION_NODES} hosts")
    for agent in found:
        if agent.status != "approved":
            message = f"agent {agent.node_id} is {agent.status}; only approved ones get work"
            if agent.cloned:
                name = agent.name or agent.node_id
                text = f"several hold the key of {name}: standfast clones list {name}"
                return Refusal("conflict", text)
            return Refusal("conflict", message, code=Reason.NOT_APPROVED)
    return tuple(agent.node_id for agent in found)


def _modules(tx: Tx, request: api.RunRequest) -> tuple[ModuleRef, ...] | Refusal:
    if request.step == "state.drift" and request.modules:
        return invalid("modules", "a drift look compares with what was applied: name no modules")
    if len(request.modules) > MAX_MODULES:
        return invalid("modules", f"a run has at most {MAX_MODULES} modules")
    found = modules.resolve(tx, SCOPE, tuple(dict.fromkeys(request.modules)))
    if isinstance(found, modules.Missing):
        return not_found("module", found.names[0])
    return _fitting(found)


def room(tx: Tx, nodes: tuple[str, ...]) -> Refusal | None:
    """Return why no more runs may be started on these hosts, or None."""
    if runs.count_unfinished(tx) >= MAX_UNFINISHED:
        message = f"{MAX_UNFINISHED} runs are not over yet: decide or cancel some first"
        return Refusal("too_many_requests", message)
    full = runs.busiest(tx, nodes)
    if full is not None and full[1] >= MAX_UNFINISHED_OF_NODE:
        message = f"{full[1]} runs on {full[0]} are not over yet: decide or cancel some first"
        return Refusal("conflict", message)
    return None


def _fitting(found: tuple[ModuleVersion, ...]) -> tuple[ModuleRef, ...] | Refusal:
    # An offer carries bytes and signed bytes (base64, a third more), and the digests approved.
    size = sum(
        len(module.content) + (len(module.envelope.payload) if module.envelope else 0)
        for module in found
    )
    if size > MAX_OFFER_MODULES:
        return invalid(
            "modules", f"the modules have {size} bytes signed, an offer at most {MAX_OFFER_MODULES}"
        )
    return tuple(ModuleRef(module.name, module.sha256) for module in found)


def _apply_of_plan(
    tx: Tx, actor: Actor, request: api.RunRequest, plan_run_id: str
) -> api.Run | Refusal:
    plan_run = runs.get(tx, plan_run_id)
    if plan_run is None or plan_run.definition.step != "state.plan":
        return not_found("plan run", plan_run_id)
    if plan_run.state.phase not in RUN_FINAL:
        return Refusal("conflict", f"plan run {plan_run_id} is still {plan_run.state.phase}")
    named = tuple(module.name for module in plan_run.details.modules)
    if request.modules and tuple(dict.fromkeys(request.modules)) != named:
        return invalid("modules", f"the plan was made of {', '.join(named) or 'no modules'}")
    if request.rollback_of not in {None, plan_run.details.rollback_of}:
        return invalid("rollback_of", "the plan is not one of taking that operation back")
    request = msgspec.structs.replace(request, rollback_of=plan_run.details.rollback_of)
    nodes = _placed(tx, request, plan_run)
    if isinstance(nodes, Refusal):
        return nodes
    changing: list[str] = []
    for node in nodes:
        plan = run_plans.read_plan(tx, plan_run, node)
        if isinstance(plan, BadPlan):
            return Refusal("conflict", plan.detail, code=plan.reason)
        if run_plans.approved_items(plan):
            changing.append(node)
    # Hosts on which nothing would change have no part in what is signed, unless nothing is.
    placed = tuple(changing) or nodes
    refused = room(tx, placed)
    if refused is not None:
        return refused
    started = _start(tx, actor, request, placed, plan_run.details.modules, plan_run_id)
    return run_views.show(tx, run_plans.settle(tx, started))


def _placed(tx: Tx, request: api.RunRequest, plan_run: StoredRun) -> tuple[str, ...] | Refusal:
    planned = plan_run.definition.nodes
    if not request.nodes and request.selector is None:
        return planned
    nodes = _nodes(tx, request)
    if isinstance(nodes, Refusal):
        return nodes
    strangers = sorted(set(nodes) - set(planned))
    if strangers:
        return invalid("nodes", f"{strangers[0]} is not part of plan run {plan_run.run_id}")
    return nodes


def _start(
    tx: Tx,
    actor: Actor,
    request: api.RunRequest,
    nodes: tuple[str, ...],
    refs: tuple[ModuleRef, ...],
    plan_run_id: str | None,
) -> StoredRun:
    seconds = APPLY_SECONDS if request.step == "state.apply" else READ_SECONDS
    definition = RunDefinition(tx.ulid(), request.step, nodes, tx.now + seconds, plan_run_id)
    details = RunDetails(
        scope=SCOPE,
        created_at=tx.now,
        actor=actor.principal(),
        modules=refs,
        removal_limit=max(0, min(request.removal_limit, MAX_APPROVED_ITEMS)),
        operations={node: tx.ulid() for node in nodes},
        rollback_of=request.rollback_of,
    )
    run = StoredRun(definition, details, initial(definition))
    runs.add(tx, run)
    announce(tx, run, actor.principal())
    if request.step != "state.apply":
        wake_nodes(tx, run)
        return run
    return run if plan_run_id is not None else run_plans.request_plan(tx, run)


def get_run(tx: Tx, run_id: str) -> api.Run | Refusal:
    """Return one run with its steps."""
    run = runs.get(tx, run_id)
    return run_views.show(tx, run) if run is not None else not_found("run", run_id)


def phase_of(tx: Tx, run_id: str) -> api.RunPhase | Refusal:
    """Return where one run stands, without its steps."""
    return runs.phase_of(tx, run_id) or not_found("run", run_id)


def list_runs(
    tx: Tx,
    *,
    limit: int,
    offset: int = 0,
    phase: api.RunPhase | None = None,
    node_id: str | None = None,
) -> tuple[tuple[api.Run, ...], int]:
    """Return runs without their results, newest first, and how many there are in all."""
    found, total = runs.listing(
        tx, limit=limit, offset=offset, scope=SCOPE, phase=phase, node_id=node_id
    )
    return tuple(run_views.show(tx, run, results=False) for run in found), total


def cancel(tx: Tx, actor: Actor, run_id: str) -> api.Run | Refusal:
    """Stop a run: what has not begun never will, what hosts are at ends when they say so."""
    run = runs.get(tx, run_id)
    if run is None:
        return not_found("run", run_id)
    if run.state.phase in RUN_FINAL:
        return Refusal("conflict", f"run {run_id} is over: it is {run.state.phase}")
    event = CancelRequested(tx.now, f"cancelled by {actor.username}")
    moved = record(tx, run, event, actor.principal())
    if moved is not run and moved.state.phase == run.state.phase:
        target = Principal("run", run_id, run.definition.step)
        summary = f"{run.definition.step} is to stop: {event.message}"
        by = actor.principal()
        tx.emit(NewEvent("run.cancelling", run.details.scope, by, target, summary))
    run_plans.after(tx, moved)
    return run_views.show(tx, moved)


def due(tx: Tx) -> tuple[str, ...]:
    """Return the unfinished runs that time alone would move now; reads only."""
    found: list[str] = []
    for run in runs.unfinished(tx):
        waits = run.state.phase == "planning" and run.state.plan_run_id is not None
        if waits or next_actions(run.definition, run.state, tx.now):
            found.append(run.run_id)
    return tuple(found)


def sweep(tx: Tx, run_ids: tuple[str, ...]) -> int:
    """Do for these runs what time alone makes due, and return how many of them moved.

    Leases that ran out are offered again by the links of their hosts, which this wakes.
    """
    moved = 0
    for run_id in run_ids:
        run = runs.get(tx, run_id)
        if run is not None:
            moved += _advance(tx, run) is not run
    return moved


def _advance(tx: Tx, run: StoredRun) -> StoredRun:
    before = run
    for action in next_actions(run.definition, run.state, tx.now):
        match action:
            case RequestPlan():
                run = run_plans.request_plan(tx, run)
            case ExpireRun():
                run = record(tx, run, RunExpired(tx.now))
            case ExpireStep():
                text = "the host stayed away for too long"
                run = record(tx, run, StepExpired(tx.now, action.node, text))
            case _:
                tx.wake(f"node:{action.node}")
    run = run_plans.settle(tx, run)
    run_plans.after(tx, run)
    return run if run.state != before.state else before
