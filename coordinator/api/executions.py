"""/command_executions: a command's part on each host; shown, cancelled, deleted."""

from __future__ import annotations

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from coordinator.api import calls, paging
from coordinator.api.calls import Call, Caller
from coordinator.api.documented import Creating
from coordinator.api.paging import Field, Grammar
from coordinator.api.problems import documented
from coordinator.domain import commands
from coordinator.domain.refusals import invalid
from protocol import api
from protocol.api_commands import Execution
from protocol.executions import STATUSES

TAGS = ["commands"]


class ExecutionAnswer(msgspec.Struct, frozen=True):
    """One execution."""

    data: Execution
    meta: api.Meta


class ExecutionList(msgspec.Struct, frozen=True):
    """One page of executions."""

    data: tuple[Execution, ...]
    meta: api.Meta


def _time(name: str) -> Field[Execution]:
    def read(one: Execution) -> str | None:
        text: str | None = getattr(one, name)
        return text

    return Field(name, "time", read, sortable=True, exact=False, ranges=True)


_GRAMMAR: Grammar[Execution] = Grammar(
    fields=(
        Field("status", "text", lambda e: e.status, sortable=True, many=True),
        Field("target_all", "flag", lambda e: e.target_all),
        Field("exit_code", "number", lambda e: e.exit_code, sortable=True, ranges=True),
        Field("has_output", "flag", lambda e: bool(e.output)),
        Field("output", "text", lambda e: e.output, wild=True),
        Field("command_id", "text", lambda e: e.command_id, many=True),
        Field("node_id", "text", lambda e: e.node_id, many=True),
        Field("cluster_name", "text", lambda e: e.cluster_name, wild=True, many=True),
        Field("has_cluster", "flag", lambda e: e.cluster_name is not None),
        _time("sent_at"),
        _time("completed_at"),
        _time("cancelled_at"),
        _time("inserted_at"),
        _time("updated_at"),
    ),
    identity=lambda e: e.id,
)


@get(
    "/command_executions",
    tags=TAGS,
    summary="List executions",
    operation_class=paging.operation(_GRAMMAR),
    opt={"query_names": _GRAMMAR.names()},
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def list_executions(call: Caller) -> ExecutionList:
    """Return a page of executions, newest first unless sorted otherwise."""
    query = dict(call.request.query_params.items())
    for name in ("status", "status__in"):
        unknown = sorted(set(query.get(name, STATUSES[0]).split(",")) - set(STATUSES))
        if unknown:
            text = f"{name} is of {', '.join(STATUSES)}; not {unknown[0][:64]!r}"
            calls.accept(invalid(name, text))
    # What was printed is read for the page alone, unless it decides what is on the page.
    reads = bool({"output", "has_output"} & set(query))
    only = query.get("command_id")
    found = await call.read(lambda tx: commands.list_executions(tx, output=reads, command_id=only))
    page = calls.accept(paging.select(_GRAMMAR, query, found))
    shown = await call.read(lambda tx: commands.with_output(tx, page.items))
    return ExecutionList(shown, call.trace.meta(page.pagination))


@get(
    "/command_executions/{execution_id:str}",
    tags=TAGS,
    summary="Show an execution",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def show_execution(call: Caller, execution_id: FromPath[str]) -> ExecutionAnswer:
    """Return one execution with its output."""
    found = await call.read(lambda tx: commands.get_execution(tx, execution_id))
    return ExecutionAnswer(found, call.trace.meta())


@delete(
    "/command_executions/{execution_id:str}",
    tags=TAGS,
    summary="Delete an execution",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found", "conflict"),
)
async def delete_execution(call: Caller, execution_id: FromPath[str]) -> None:
    """Remove an execution that is over."""
    actor = call.actor
    await call.change(lambda tx: commands.delete_execution(tx, actor, execution_id))


_CANCELLING = documented(
    "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "too_many_requests"
)


@post(
    "/command_executions/{execution_id:str}/cancel",
    status_code=202,
    tags=TAGS,
    summary="Cancel an execution",
    operation_class=Creating,
    responses=_CANCELLING,
)
async def cancel_execution(call: Caller, execution_id: FromPath[str]) -> Response[ExecutionAnswer]:
    """Stop it: 200 if it had not begun, 202 if the host is told; one that is away is told later."""
    return await _cancel(call, execution_id)


@patch(
    "/command_executions/{execution_id:str}/cancel",
    status_code=200,
    tags=TAGS,
    summary="Cancel an execution (older form)",
    responses=_CANCELLING,
)
async def cancel_execution_older(
    call: Caller, execution_id: FromPath[str]
) -> Response[ExecutionAnswer]:
    """Do the same; the answer is 200 in any case, as older clients expect."""
    answer = await _cancel(call, execution_id)
    return Response(answer.content, status_code=200)


async def _cancel(call: Call, execution_id: str) -> Response[ExecutionAnswer]:
    actor = call.actor
    found = await call.create(
        Execution, lambda tx: commands.cancel_execution(tx, actor, execution_id)
    )
    code = 200 if found.status == "cancelled" else 202
    return Response(ExecutionAnswer(found, call.trace.meta()), status_code=code)


routes = (
    list_executions,
    show_execution,
    delete_execution,
    cancel_execution,
    cancel_execution_older,
)
