"""Operations: applies as one host sees them, in the published shape."""

from __future__ import annotations

from typing import Literal

from coordinator.domain import agents, run_views
from coordinator.domain.refusals import Refusal, not_found
from coordinator.store import runs
from coordinator.store.database import Tx
from coordinator.store.runs import StoredRun
from protocol import api
from protocol.reports import ApplyResult, OperationStatus, ScriptOutput
from protocol.runs import RUN_FINAL, StepState

# Published: 50 operations unless asked otherwise, 500 at most.
MAX_LIMIT = 500

Status = OperationStatus | Literal["waiting_approval", "refused", "expired", "denied"]


def page(
    tx: Tx, *, limit: int = 50, offset: int = 0, node_id: str | None = None
) -> api.OperationPage | Refusal:
    """Return operations of one host or of all, newest first, without their resources."""
    if node_id is not None and isinstance(known := agents.get(tx, node_id), Refusal):
        return known
    limit = min(limit, MAX_LIMIT)
    found, total = runs.operations(tx, "state.apply", limit=limit, offset=offset, node_id=node_id)
    held = runs.some(tx, {operation.run_id for operation in found})
    shown = tuple(_show(tx, held[one.run_id], one.node_id, full=False) for one in found)
    return api.OperationPage(shown, total, limit, offset)


def get(tx: Tx, operation_id: str) -> api.Operation | Refusal:
    """Return one operation with what became of each resource."""
    operation = runs.operation(tx, operation_id, "state.apply")
    run = runs.get(tx, operation.run_id) if operation is not None else None
    if operation is None or run is None:
        return not_found("operation", operation_id)
    return _show(tx, run, operation.node_id, full=True)


def output(tx: Tx, node_id: str, operation_id: str) -> dict[str, ScriptOutput] | Refusal:
    """Return what the scripts of an operation printed, by `module/identity`.

    A lost document is an empty answer: the operation itself is what counts.
    """
    operation = runs.operation(tx, operation_id, "state.apply")
    run = runs.get(tx, operation.run_id) if operation is not None else None
    if operation is None or run is None or operation.node_id != node_id:
        return not_found("operation", operation_id)
    result = run_views.document(tx, run, node_id)
    return result.output if isinstance(result, ApplyResult) else {}


def _show(tx: Tx, run: StoredRun, node_id: str, *, full: bool) -> api.Operation:
    step = run.state.steps[node_id]
    result = run_views.document(tx, run, node_id) if full else None
    applied = result if isinstance(result, ApplyResult) else None
    finished = step.finished_at if step.finished_at is not None else run.state.finished_at
    status = _status(run, step)
    operation_id = run.details.operations[node_id]
    return api.Operation(
        operation_id=operation_id,
        kind="apply",
        node_id=node_id,
        actor=run.details.actor.name,
        modules=tuple(module.name for module in run.details.modules),
        started_at=int(run.details.created_at),
        finished_at=int(finished) if finished is not None else None,
        status=status,
        resources=applied.resources if applied is not None else (),
        # The host keeps one snapshot per successful apply, named after it.
        snapshot_id=operation_id if status == "succeeded" else None,
        run_id=run.run_id,
        reason=step.reason or run.state.reason,
        message=step.message or run.state.message,
    )


def _status(run: StoredRun, step: StepState) -> Status:
    match run.state.phase:
        case "waiting_approval" | "denied":
            return run.state.phase
        case "failed" if step.phase in {"pending", "cancelled"}:
            # The plan could not be made: nothing was ever offered.
            return "failed"
        case _:
            pass
    match step.phase:
        case "succeeded" | "failed" | "cancelled" | "interrupted" | "refused" | "expired":
            return step.phase
        case "pending" | "offered" | "accepted" | "running":
            return "cancelled" if run.state.phase in RUN_FINAL else "running"
