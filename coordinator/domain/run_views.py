"""Runs as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from coordinator.domain import host_receipts, run_actions
from coordinator.store import artifacts, decisions, records
from coordinator.store.database import Tx
from coordinator.store.runs import FleetPlan, StoredRun
from protocol import api
from protocol.canonical import Json
from protocol.commands import CommandResult
from protocol.decisions import PlanProof, plan_tree
from protocol.messages import StepKind
from protocol.reports import ApplyResult, DriftRecord, PlanResult
from protocol.runs import StepState

Document = PlanResult | ApplyResult | DriftRecord | CommandResult
_DOCUMENTS: dict[StepKind, type[Document]] = {
    "state.plan": PlanResult,
    "state.apply": ApplyResult,
    "state.drift": DriftRecord,
    "command.run": CommandResult,
}
# Plans that stand in the run itself: up to a body of 1 MiB, the rest is fetched as artifacts.
MAX_INLINE = 1_048_576


def rfc3339(at: float) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def show(tx: Tx, run: StoredRun, *, results: bool = True) -> api.Run:
    """Return a run with its steps; `results` puts small plans and the receipts into it."""
    definition, details, state = run.definition, run.details, run.state
    plan = details.plan
    proofs = plan_tree(plan.digests)[1] if plan is not None else {}
    room = MAX_INLINE if results and definition.step == "state.plan" else 0
    steps: list[api.RunStep] = []
    for node, step in state.steps.items():
        result, used = _inline(tx, step, room)
        room -= used
        shown = _step(tx, node, run, step, plan, proofs, result)
        if results and step.artifact is not None:
            receipt = host_receipts.of_run(tx, node, definition.run_id)
            shown = msgspec.structs.replace(shown, receipt=receipt)
        steps.append(shown)
    decision = decisions.get(tx, state.decision_id) if state.decision_id is not None else None
    if state.phase == "waiting_approval":
        decision = decisions.collecting(tx, run.run_id)
    return api.Run(
        run_id=run.run_id,
        step=definition.step,
        phase=state.phase,
        scope=details.scope,
        created_at=rfc3339(details.created_at),
        created_by=details.actor.name,
        modules=tuple(module.name for module in details.modules),
        steps=tuple(steps),
        finished_at=rfc3339(state.finished_at) if state.finished_at is not None else None,
        plan_run_id=state.plan_run_id,
        plan_root=plan.root if plan is not None else None,
        action_hash=run_actions.action_hash(run),
        removal_limit=details.removal_limit,
        decision=decision.envelope if decision is not None else None,
        rollback_of=details.rollback_of,
    )


def _step(
    tx: Tx,
    node: str,
    run: StoredRun,
    step: StepState,
    plan: FleetPlan | None,
    proofs: Mapping[str, PlanProof],
    result: Json,
) -> api.RunStep:
    record = records.get_by_uid(tx, "node", node)
    return api.RunStep(
        node_id=node,
        name=record.name if record is not None else None,
        phase=step.phase,
        operation_id=run.details.operations[node],
        fence=step.fence,
        reason=step.reason,
        message=step.message,
        artifact=step.artifact,
        digest=step.digest,
        plan_digest=plan.digests[node] if plan is not None else "",
        plan_proof=proofs.get(node),
        result=result,
    )


def _inline(tx: Tx, step: StepState, room: int) -> tuple[Json, int]:
    known = artifacts.find(tx, step.artifact) if step.artifact is not None and room else None
    if known is None or not known.kept or known.size > room:
        return None, 0
    data = artifacts.read(tx, known.sha256)
    if data is None:
        return None, 0
    try:
        decoded: Json = msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return None, 0
    return decoded, known.size


def document(tx: Tx, run: StoredRun, node_id: str) -> Document | None:
    """Return the result document of a step, or None: not there yet, lost, or not readable."""
    step = run.state.steps.get(node_id)
    data = artifacts.read(tx, step.artifact) if step is not None and step.artifact else None
    return decode(run.definition.step, data) if data is not None else None


def step_result(tx: Tx, run: api.Run, node_id: str) -> Document | None:
    """Return what `document` returns, for a run as the API shows it."""
    names = [step.artifact for step in run.steps if step.node_id == node_id]
    data = artifacts.read(tx, names[0]) if names and names[0] is not None else None
    return decode(run.step, data) if data is not None else None


def decode(step: StepKind, data: bytes) -> Document | None:
    """Return the document that a step's artifact should hold, or None if it does not."""
    try:
        return msgspec.json.decode(data, type=_DOCUMENTS[step])
    except (msgspec.MsgspecError, RecursionError):
        return None
