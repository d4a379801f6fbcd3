"""/agents: the managed hosts, and the decision to let one in."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from coordinator.api.calls import Caller
from coordinator.api.documented import Deciding
from coordinator.api.problems import documented
from coordinator.domain import agents, node_statements
from protocol import api, api_approvals
from protocol.messages import Approval

TAGS = ["agents"]
Selector = Annotated[
    str | None,
    QueryParameter(
        name="filter", description="Tag selector, such as `role=web env in (a,b) !old`."
    ),
]


@get(
    "/agents",
    tags=TAGS,
    summary="List hosts",
    responses=documented("bad_request", "unauthorized"),
)
async def list_agents(
    call: Caller, status: FromQuery[Approval | None] = None, selector: Selector = None
) -> tuple[api.Agent, ...]:
    """Return hosts, connected or not, oldest first."""
    return await call.read(lambda tx: agents.listing(tx, status, selector))


@get(
    "/agents/{node_id:str}",
    tags=TAGS,
    summary="Show a host",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_agent(call: Caller, node_id: FromPath[str]) -> Response[api.Agent]:
    """Return one host; `etag` holds its resource version."""
    agent = await call.read(lambda tx: agents.get(tx, node_id))
    return Response(agent, headers={"etag": f'"{agent.resource_version}"'})


@post(
    "/agents/{node_id:str}",
    status_code=200,
    tags=TAGS,
    summary="Approve or reject a host",
    operation_class=Deciding,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def decide_agent(
    call: Caller, node_id: FromPath[str], data: JSONBody[api.StatusChangeRequest]
) -> api.Agent:
    """Approve a host under a name that no other has, or reject it."""
    actor, expected = call.actor, call.expected_version()
    return await call.create(
        api.Agent, lambda tx: agents.decide(tx, actor, node_id, data, expected)
    )


@delete(
    "/agents/{node_id:str}",
    tags=TAGS,
    summary="Forget a rejected host",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found", "conflict"),
)
async def delete_agent(call: Caller, node_id: FromPath[str]) -> None:
    """Forget a host that was rejected; any other is a conflict."""
    actor = call.actor
    await call.change(lambda tx: agents.delete(tx, actor, node_id))


@get(
    "/agents/{node_id:str}/attributes",
    tags=TAGS,
    summary="Show a host's attributes",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_attributes(call: Caller, node_id: FromPath[str]) -> dict[str, str]:
    """Return the attribute map that the host reported last."""
    return (await call.read(lambda tx: agents.get(tx, node_id))).attributes


@get(
    "/agents/{node_id:str}/statement",
    tags=TAGS,
    summary="Show what operators signed about a host",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_statement(call: Caller, node_id: FromPath[str]) -> api_approvals.StatementResponse:
    """Return the newest signed statement: the host's key, name, scope and signed tags."""
    return await call.read(lambda tx: node_statements.show(tx, node_id))


@put(
    "/agents/{node_id:str}/statement",
    tags=TAGS,
    summary="Bring what operators signed about a host",
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def put_statement(
    call: Caller, node_id: FromPath[str], data: JSONBody[api_approvals.StatementRequest]
) -> api_approvals.StatementResponse:
    """Take a newer statement; the host gets it at once and judges it again."""
    actor = call.actor
    return await call.change(lambda tx: node_statements.put(tx, actor, node_id, data.envelope))


routes = (
    list_agents,
    show_agent,
    decide_agent,
    delete_agent,
    show_attributes,
    show_statement,
    put_statement,
)
