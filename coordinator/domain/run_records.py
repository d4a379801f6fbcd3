"""The one place where an event is put on a run: reduce, store, tell who waits, write the log.

Which events there are to put is the affair of the other `run_*` modules.
"""

from __future__ import annotations

import msgspec

from coordinator.domain import executions
from coordinator.store import runs
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, NewEvent, Principal, Severity
from coordinator.store.runs import StoredRun
from protocol.runs import RunEvent, RunState, StepState, reduce

_SEVERITY: dict[str, Severity] = {
    "failed": "warning",
    "refused": "warning",
    "interrupted": "warning",
    "expired": "warning",
    "denied": "warning",
}


def record(tx: Tx, run: StoredRun, event: RunEvent, actor: Principal = COORDINATOR) -> StoredRun:
    """Put an event on a run and return the run after it; the same object if it changes nothing.

    `actor` is who caused the event, for the event log.
    """
    state = reduce(run.definition, run.state, event)
    if state is run.state:
        return run
    moved = msgspec.structs.replace(run, state=state)
    runs.save(tx, moved, event)
    tx.wake(f"run:{run.run_id}")
    if state.phase != run.state.phase:
        announce(tx, moved, actor)
    for node, step in state.steps.items():
        before = run.state.steps[node]
        if step is not before and step.phase != before.phase and step.finished_at is not None:
            _step_over(tx, moved, node, step)
    if run.details.command is not None:
        executions.follow_run(tx, run, moved)
    if _offers_change(run.state, state) or _makes_room(moved, run.state):
        wake_nodes(tx, moved)
    return moved


def announce(tx: Tx, run: StoredRun, actor: Principal) -> None:
    """Write into the event log where a run stands now."""
    state, step = run.state, run.definition.step
    count = len(run.definition.nodes)
    said = f": {state.message}" if state.message else ""
    tx.emit(
        NewEvent(
            f"run.{state.phase}",
            run.details.scope,
            actor,
            Principal("run", run.run_id, step),
            f"{step} on {count} {'host' if count == 1 else 'hosts'}: {state.phase}{said}",
            _SEVERITY.get(state.phase, "info"),
            {"step": step, "reason": state.reason},
        )
    )


def wake_nodes(tx: Tx, run: StoredRun) -> None:
    """Wake the links of a run's nodes: there may be something to send."""
    for node in run.definition.nodes:
        tx.wake(f"node:{node}")


def _offers_change(before: RunState, after: RunState) -> bool:
    began = after.phase == "queued" and before.phase != "queued"
    marked = any(
        step.cancelling and not before.steps[node].cancelling for node, step in after.steps.items()
    )
    return began or marked or after.cancelling != before.cancelling


def _makes_room(run: StoredRun, before: RunState) -> bool:
    # With a limit on how many are at work, the end of one is the turn of another.
    if not run.definition.max_parallel:
        return False
    ended = sum(step.finished_at is not None for step in before.steps.values())
    return ended != sum(step.finished_at is not None for step in run.state.steps.values())


def _step_over(tx: Tx, run: StoredRun, node: str, step: StepState) -> None:
    # Its place among the offers that the host holds is free again.
    tx.wake(f"node:{node}")
    kind = run.definition.step
    said = f": {step.message}" if step.message else ""
    tx.emit(
        NewEvent(
            f"step.{step.phase}",
            run.details.scope,
            COORDINATOR,
            Principal("agent", node),
            f"{kind} {step.phase}{said}",
            _SEVERITY.get(step.phase, "info"),
            {"run_id": run.run_id, "reason": step.reason},
        )
    )
