"""Who may call what: one table over every operation, and the guard that reads it.

An operation that is missing here is refused to everybody; a test walks every route and role.
"""

from __future__ import annotations

import re
from typing import Literal

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler

from coordinator.api import limits, problems
from coordinator.context import App
from coordinator.domain import auth
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal
from protocol.roster import Role

# `open`: anybody. `known`: anybody, and more for an operator. `link`: the agent link proves itself.
Rule = Literal["open", "known"] | frozenset[Role]

READ: frozenset[Role] = frozenset({"admin", "operator", "viewer", "automation"})
# Asking for work; whether it may be done is decided by a signature that the host checks.
WORK: frozenset[Role] = frozenset({"admin", "operator", "automation"})
# Letting hosts in is a person's decision.
DECIDE: frozenset[Role] = frozenset({"admin", "operator"})
ADMIN: frozenset[Role] = frozenset({"admin"})

_V1 = "/api/v1"
TABLE: dict[tuple[str, str], Rule] = {
    ("GET", "/healthz"): "open",
    ("GET", "/readyz"): "open",
    ("GET", "/schema"): "open",
    ("GET", "/schema/docs"): "open",
    ("GET", "/schema/openapi.json"): "open",
    ("GET", "/schema/{path}"): "open",
    ("GET", f"{_V1}/status"): "known",
    ("POST", f"{_V1}/auth/challenge"): "open",
    ("POST", f"{_V1}/auth/verify"): "open",
    ("POST", f"{_V1}/discover"): DECIDE,
    ("GET", f"{_V1}/operators"): READ,
    ("POST", f"{_V1}/operators"): ADMIN,
    ("GET", f"{_V1}/operators/{{operator_id}}"): READ,
    ("DELETE", f"{_V1}/operators/{{operator_id}}"): ADMIN,
    ("GET", f"{_V1}/roster"): READ,
    ("POST", f"{_V1}/roster"): ADMIN,
    ("GET", f"{_V1}/agents"): READ,
    ("GET", f"{_V1}/agents/link"): "open",
    ("GET", f"{_V1}/agents/{{node_id}}"): READ,
    ("POST", f"{_V1}/agents/{{node_id}}"): DECIDE,
    ("DELETE", f"{_V1}/agents/{{node_id}}"): DECIDE,
    ("GET", f"{_V1}/agents/{{node_id}}/attributes"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/why"): READ,
    ("PUT", f"{_V1}/agents/{{node_id}}/tags"): WORK,
    ("PUT", f"{_V1}/agents/{{node_id}}/tags/{{key}}"): WORK,
    ("DELETE", f"{_V1}/agents/{{node_id}}/tags/{{key}}"): WORK,
    ("GET", f"{_V1}/tags"): READ,
    ("GET", f"{_V1}/modules"): READ,
    ("POST", f"{_V1}/modules"): WORK,
    ("GET", f"{_V1}/modules/{{name}}"): READ,
    ("DELETE", f"{_V1}/modules/{{name}}"): WORK,
    ("POST", f"{_V1}/agents/{{node_id}}/plan"): WORK,
    ("POST", f"{_V1}/agents/{{node_id}}/apply"): WORK,
    ("POST", f"{_V1}/agents/{{node_id}}/drift"): WORK,
    ("GET", f"{_V1}/agents/{{node_id}}/drift"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/drift/latest"): READ,
    ("GET", f"{_V1}/drift/{{drift_id}}"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/state"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/state/operations"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/state/operations/{{operation_id}}/output"): READ,
    ("GET", f"{_V1}/state/operations"): READ,
    ("GET", f"{_V1}/state/operations/{{operation_id}}"): READ,
    ("GET", f"{_V1}/runs"): READ,
    ("POST", f"{_V1}/runs"): WORK,
    ("GET", f"{_V1}/runs/{{run_id}}"): READ,
    ("POST", f"{_V1}/runs/{{run_id}}/decisions"): WORK,
    ("POST", f"{_V1}/runs/{{run_id}}/cancel"): WORK,
    ("GET", f"{_V1}/runs/{{run_id}}/events"): READ,
    ("GET", f"{_V1}/artifacts/{{sha256}}"): READ,
    ("GET", f"{_V1}/events"): READ,
    ("POST", f"{_V1}/clusters/{{cluster_name}}/enrollment_keys"): DECIDE,
    ("POST", f"{_V1}/clusters/default/enrollment_keys"): DECIDE,
    ("POST", f"{_V1}/clusters/default/enrollment_keys/public"): "open",
    ("GET", f"{_V1}/enrollment_keys"): DECIDE,
    ("GET", f"{_V1}/enrollment_keys/{{key_id}}"): DECIDE,
    ("PATCH", f"{_V1}/enrollment_keys/{{key_id}}"): DECIDE,
    ("DELETE", f"{_V1}/enrollment_keys/{{key_id}}"): DECIDE,
}

_PARAMETER = re.compile(r"\{([a-z_0-9]+):[a-z]+\}")
# A token of ours has 43 characters; a header of more than this is none.
_MAX_TOKEN = 128

Connection = ASGIConnection[BaseRouteHandler, Actor | None, object, State]


def published(path: str) -> str:
    """Return a route's path as it is published: `/x/{name}` for the framework's `/x/{name:str}`."""
    return _PARAMETER.sub(r"{\1}", path)


def allows(rule: Rule | None, role: Role | None) -> bool:
    """Say whether a rule lets a role in; None is somebody without a session."""
    match rule:
        case None:
            return False
        case "open" | "known":
            return True
        case _:
            return role in rule


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let a request through to its handler, or refuse it before its body is read.

    Raises:
        ProblemError: no valid session, a role that may not, an unknown query parameter.
    """
    # The handshake of a WebSocket is a GET, and has no method of its own here.
    method = connection.scope["method"] if connection.scope["type"] == ScopeType.HTTP else "GET"
    if method == "OPTIONS":
        return
    rule = TABLE.get((method, published(connection.scope["path_template"])))
    connection.scope["user"] = None
    if rule != "open":
        actor = await _actor(connection, required=rule != "known")
        connection.scope["user"] = actor
        if not allows(rule, actor.role if actor is not None else None):
            role = actor.role if actor is not None else "nobody"
            raise problems.ProblemError(Refusal("forbidden", f"the role {role} may not do this"))
    limits.check_query(dict(connection.query_params.items()), handler)


async def _actor(connection: Connection, *, required: bool) -> Actor | None:
    header = connection.headers.get("authorization")
    if header is None:
        if required:
            raise problems.ProblemError(
                Refusal("unauthorized", "a session token is needed: log in, then send it as Bearer")
            )
        return None
    context: App = connection.app.state.context
    actor = await session_of(context, header)
    if actor is None:
        raise problems.ProblemError(
            Refusal("unauthorized", "the session token is not valid or has expired: log in again")
        )
    return actor


async def session_of(context: App, header: str | None) -> Actor | None:
    """Return the operator of an `Authorization` header, if its session is valid at this moment."""
    kind, _, token = (header or "").partition(" ")
    if kind.lower() != "bearer" or not 0 < len(token) <= _MAX_TOKEN or not token.isascii():
        return None
    return await context.store.read(lambda tx: auth.actor_of(tx, token))
