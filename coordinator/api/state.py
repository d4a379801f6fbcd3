"""/agents/{id}/plan, apply, drift, state: desired state of one host, and what came of it."""

from __future__ import annotations

from typing import Annotated, TypeVar

import anyio
import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from coordinator.api.calls import Call, Caller, accept
from coordinator.api.documented import Creating, Waiting
from coordinator.api.problems import ProblemError, documented
from coordinator.api.whole import whole
from coordinator.domain import drift, operations, run_decisions, run_views, runs, state, why
from coordinator.domain.refusals import Refusal
from coordinator.store.database import Tx
from protocol import api, api_why
from protocol.reports import (
    DriftRecord,
    DriftStatus,
    MachineState,
    PlanResult,
    ScriptOutput,
)
from protocol.runs import RUN_FINAL

R = TypeVar("R", PlanResult, DriftRecord)
T = TypeVar("T")
TAGS = ["state"]
DriftLimit = Annotated[
    int, QueryParameter(ge=1, le=drift.MAX_LIMIT, description="Records on a page.")
]
Limit = Annotated[
    int, QueryParameter(ge=1, le=operations.MAX_LIMIT, description="Operations on a page.")
]
Offset = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="Operations to pass over.")]
_READING = documented("bad_request", "unauthorized", "not_found")


class Started(msgspec.Struct, frozen=True):
    """A run that is on its way (or ended without a result): follow it by its id."""

    run_id: str
    phase: api.RunPhase


class Output(msgspec.Struct, frozen=True):
    """Captured output of the scripts of one apply, keyed `module/identity`."""

    output: dict[str, ScriptOutput]


_STARTING = {
    **documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
    202: ResponseSpec(
        data_container=Started, description="Not there yet.", generate_examples=False
    ),
}


@post(
    "/agents/{node_id:str}/plan",
    status_code=200,
    tags=TAGS,
    summary="Plan on a host",
    operation_class=Waiting,
    responses=_STARTING,
)
async def plan(
    call: Caller, node_id: FromPath[str], data: JSONBody[api.StateOperationRequest]
) -> Response[PlanResult | Started]:
    """Have the host say what an apply would change; nothing is changed."""
    request = api.RunRequest("state.plan", nodes=(node_id,), modules=data.modules)
    request = msgspec.structs.replace(request, rollback_of=data.rollback_of)
    return await _result(call, node_id, request, PlanResult)


@post(
    "/agents/{node_id:str}/drift",
    status_code=200,
    tags=TAGS,
    summary="Look for drift on a host",
    operation_class=Waiting,
    responses=_STARTING,
)
async def look_for_drift(call: Caller, node_id: FromPath[str]) -> Response[DriftRecord | Started]:
    """Have the host compare itself with its last successful apply, now."""
    request = api.RunRequest("state.drift", nodes=(node_id,))
    return await _result(call, node_id, request, DriftRecord)


@post(
    "/agents/{node_id:str}/apply",
    status_code=202,
    tags=TAGS,
    summary="Apply to a host",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def apply(
    call: Caller, node_id: FromPath[str], data: JSONBody[api.StateOperationRequest]
) -> Response[api.Run]:
    """Start an apply: planned first unless a plan is named, and done once a decision is signed."""
    actor = call.actor
    request = api.RunRequest(
        "state.apply",
        nodes=(node_id,),
        modules=data.modules,
        plan_run_id=data.plan_run_id,
        removal_limit=data.removal_limit,
        rollback_of=data.rollback_of,
    )

    def start(tx: Tx) -> api.Run | Refusal:
        run = runs.create_run(tx, actor, request)
        if isinstance(run, Refusal) or data.decision is None:
            return run
        # Raised, not returned: a decision that does not hold must leave no run behind.
        return accept(run_decisions.add_decision(tx, actor, run.run_id, data.decision))

    run = await call.create(api.Run, start)
    return Response(run, status_code=202, headers={"x-run-id": run.run_id})


@get(
    "/agents/{node_id:str}/drift",
    tags=TAGS,
    summary="List a host's drift records",
    responses=_READING,
)
async def list_drift(
    call: Caller,
    node_id: FromPath[str],
    limit: DriftLimit = 50,
    status: FromQuery[DriftStatus | None] = None,
) -> api.DriftPage:
    """Return drift records, newest first."""
    return await call.read(lambda tx: _shown(drift.page(tx, node_id, limit, status)))


@get(
    "/agents/{node_id:str}/drift/latest",
    tags=TAGS,
    summary="Show a host's latest drift record",
    responses=_READING,
)
async def latest_drift(call: Caller, node_id: FromPath[str]) -> DriftRecord | None:
    """Return the latest record, or null if there is none."""
    return await call.read(lambda tx: _shown(drift.latest(tx, node_id)))


@get("/drift/{drift_id:str}", tags=TAGS, summary="Show a drift record", responses=_READING)
async def show_drift(call: Caller, drift_id: FromPath[str]) -> DriftRecord:
    """Return one drift record."""
    return await call.read(lambda tx: _shown(drift.get(tx, drift_id)))


@get(
    "/agents/{node_id:str}/state",
    tags=TAGS,
    summary="Show a host's state",
    responses=_READING,
)
async def show_state(call: Caller, node_id: FromPath[str]) -> MachineState:
    """Return what the host is believed to hold: applied, to be removed, not applied yet."""
    return await call.read(lambda tx: _shown(state.machine_state(tx, node_id)))


@get(
    "/agents/{node_id:str}/state/operations",
    tags=TAGS,
    summary="List a host's operations",
    responses=_READING,
)
async def host_operations(
    call: Caller, node_id: FromPath[str], limit: Limit = 50, offset: Offset = 0
) -> api.OperationPage:
    """Return the applies on one host, newest first."""
    return await call.read(
        lambda tx: operations.page(tx, limit=limit, offset=offset, node_id=node_id)
    )


@get("/state/operations", tags=TAGS, summary="List operations", responses=_READING)
async def all_operations(call: Caller, limit: Limit = 50, offset: Offset = 0) -> api.OperationPage:
    """Return the applies on all hosts, newest first."""
    return await call.read(lambda tx: operations.page(tx, limit=limit, offset=offset))


@get(
    "/state/operations/{operation_id:str}",
    tags=TAGS,
    summary="Show an operation",
    responses=_READING,
)
async def show_operation(call: Caller, operation_id: FromPath[str]) -> api.Operation:
    """Return one apply with what became of each resource."""
    return await call.read(lambda tx: _shown(operations.get(tx, operation_id)))


@get(
    "/agents/{node_id:str}/state/operations/{operation_id:str}/output",
    tags=TAGS,
    summary="Show an operation's script output",
    responses=_READING,
)
async def show_output(call: Caller, node_id: FromPath[str], operation_id: FromPath[str]) -> Output:
    """Return what the scripts of one apply printed; empty if nothing was kept."""
    return Output(await call.read(lambda tx: _shown(operations.output(tx, node_id, operation_id))))


@get(
    "/agents/{node_id:str}/why",
    tags=TAGS,
    summary="Explain a host",
    responses=_READING,
)
async def explain(call: Caller, node_id: FromPath[str]) -> api_why.Why:
    """Return what a person would ask about a host: code, cause, next command; newest first."""
    return await call.read(lambda tx: why.why(tx, node_id))


def _shown(outcome: T | Refusal) -> T | Refusal:
    # In the reader's thread: a plan of 10,000 resources takes a tenth of a second.
    return outcome if isinstance(outcome, Refusal) else whole(outcome)


def _compared_with_nothing(look: DriftRecord) -> bool:
    return look.status == "in_sync" and look.snapshot_operation_id is None


async def _result(
    call: Call, node_id: str, request: api.RunRequest, kind: type[R]
) -> Response[R | Started]:
    actor, patience = call.actor, call.patience()
    run = await call.create(api.Run, lambda tx: runs.create_run(tx, actor, request))
    with anyio.move_on_after(patience):
        run = await _end(call, run)
    found = await call.read(lambda tx: run_views.step_result(tx, run, node_id))
    headers = {"x-run-id": run.run_id}
    if isinstance(found, DriftRecord) and _compared_with_nothing(found):
        text = "nothing was applied to this host yet, so there is nothing to compare it with"
        raise ProblemError(Refusal("conflict", text, code="no_snapshot"))
    if isinstance(found, kind):
        shown = await call.read(lambda _: whole(found))
        return Response(shown, status_code=200, headers=headers)
    return Response(Started(run.run_id, run.phase), status_code=202, headers=headers)


async def _end(call: Call, run: api.Run) -> api.Run:
    hub, run_id = call.context.hub, run.run_id
    while run.phase not in RUN_FINAL and not hub.closed:
        since = hub.version()
        run = await call.read(lambda tx: runs.get_run(tx, run_id))
        if run.phase not in RUN_FINAL:
            await hub.wait(f"run:{run_id}", since=since)
    return run


routes = (
    plan,
    look_for_drift,
    apply,
    list_drift,
    latest_drift,
    show_drift,
    show_state,
    host_operations,
    all_operations,
    show_operation,
    show_output,
    explain,
)
