"""/runs: work over hosts, the decisions on it, its progress."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from coordinator.api import streams
from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import run_decisions, runs
from coordinator.domain.refusals import Refusal
from coordinator.store import runs as stored_runs
from coordinator.store.database import Tx
from protocol import api
from protocol.runs import RUN_FINAL

TAGS = ["runs"]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Runs on a page.")]
Offset = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="Runs to pass over.")]
After = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="Only what comes after.")]


class RunPage(msgspec.Struct, frozen=True):
    """Runs, newest first, without their results."""

    runs: tuple[api.Run, ...]
    total: int
    limit: int
    offset: int


@get(
    "/runs",
    tags=TAGS,
    summary="List runs",
    responses=documented("bad_request", "unauthorized"),
)
async def list_runs(
    call: Caller,
    limit: Limit = 20,
    offset: Offset = 0,
    phase: FromQuery[api.RunPhase | None] = None,
    node_id: FromQuery[str | None] = None,
) -> RunPage:
    """Return a page of runs, of one phase or one host if asked for."""
    found, total = await call.read(
        lambda tx: runs.list_runs(tx, limit=limit, offset=offset, phase=phase, node_id=node_id)
    )
    return RunPage(found, total, limit, offset)


@post(
    "/runs",
    status_code=202,
    tags=TAGS,
    summary="Start a run",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def start_run(call: Caller, data: JSONBody[api.RunRequest]) -> api.Run:
    """Place work on hosts, named one by one or by a selector that is resolved now."""
    actor = call.actor
    return await call.create(api.Run, lambda tx: runs.create_run(tx, actor, data))


@get(
    "/runs/{run_id:str}",
    tags=TAGS,
    summary="Show a run",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_run(call: Caller, run_id: FromPath[str]) -> api.Run:
    """Return one run with its steps and, as far as they fit, their results."""
    return await call.read(lambda tx: runs.get_run(tx, run_id))


@post(
    "/runs/{run_id:str}/decisions",
    status_code=200,
    tags=TAGS,
    summary="Decide on a run",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def decide_run(
    call: Caller, run_id: FromPath[str], data: JSONBody[api.DecisionRequest]
) -> api.Run:
    """Bring a signed yes or no; the host checks the signature again before it acts."""
    actor = call.actor
    return await call.create(
        api.Run, lambda tx: run_decisions.add_decision(tx, actor, run_id, data.envelope)
    )


@post(
    "/runs/{run_id:str}/cancel",
    status_code=202,
    tags=TAGS,
    summary="Stop a run",
    operation_class=Creating,
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found", "conflict"),
)
async def cancel_run(call: Caller, run_id: FromPath[str]) -> api.Run:
    """Stop what has not begun; what hosts are at ends when they say so."""
    actor = call.actor
    return await call.create(api.Run, lambda tx: runs.cancel(tx, actor, run_id))


@get(
    "/runs/{run_id:str}/events",
    tags=TAGS,
    summary="Follow a run",
    media_type="text/event-stream",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def follow_run(call: Caller, run_id: FromPath[str], after: After = 0) -> Stream:
    """Stream a run's events until it is over; `Last-Event-ID` or `after` resumes."""
    await call.read(lambda tx: runs.phase_of(tx, run_id))

    async def look(seq: int) -> streams.Look:
        return await call.read(lambda tx: _look(tx, run_id, seq))

    start = streams.resume_point(call, after)
    return streams.stream(call, (f"run:{run_id}",), start, look)


def _look(tx: Tx, run_id: str, after: int) -> streams.Look | Refusal:
    # The phase is read first: what a run that is over has to say is there in full by then.
    phase = runs.phase_of(tx, run_id)
    if isinstance(phase, Refusal):
        return phase
    found = stored_runs.events_of(tx, run_id, after, limit=stored_runs.MAX_PAGE)
    lines = [
        streams.Line(seq, type(event).__name__, msgspec.json.encode(event)) for seq, event in found
    ]
    return streams.Look(lines, over=phase in RUN_FINAL and len(found) < stored_runs.MAX_PAGE)


routes = (list_runs, start_run, show_run, decide_run, cancel_run, follow_run)
