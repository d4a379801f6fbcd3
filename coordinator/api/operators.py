"""/operators: who may use the API."""

from __future__ import annotations

from litestar import delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import operators
from protocol import api

TAGS = ["operators"]


@get(
    "/operators",
    tags=TAGS,
    summary="List operators",
    responses=documented("bad_request", "unauthorized"),
)
async def list_operators(
    call: Caller, include_removed: FromQuery[bool] = False
) -> tuple[api.Operator, ...]:
    """Return all operators, oldest first; removed ones only if asked for."""
    return await call.read(lambda tx: operators.listing(tx, include_removed=include_removed))


@post(
    "/operators",
    tags=TAGS,
    summary="Add an operator",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large"
    ),
)
async def add_operator(call: Caller, data: JSONBody[api.AddOperatorRequest]) -> api.Operator:
    """Let a key use the API; hosts count its signature once the roster names it."""
    actor = call.actor
    return await call.create(api.Operator, lambda tx: operators.add(tx, actor, data))


@get(
    "/operators/{operator_id:str}",
    tags=TAGS,
    summary="Show an operator",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_operator(call: Caller, operator_id: FromPath[str]) -> api.Operator:
    """Return one operator, removed or not."""
    return await call.read(lambda tx: operators.get(tx, operator_id))


@delete(
    "/operators/{operator_id:str}",
    tags=TAGS,
    summary="Remove an operator",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found", "conflict"),
)
async def remove_operator(call: Caller, operator_id: FromPath[str]) -> None:
    """End an operator's access and sessions; the last admin cannot be removed."""
    actor = call.actor
    await call.change(lambda tx: operators.remove(tx, actor, operator_id))


routes = (list_operators, add_operator, show_operator, remove_operator)
