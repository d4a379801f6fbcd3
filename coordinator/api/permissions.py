"""Who may call what: one table over every operation, and the guard that reads it.

An operation that is missing here is refused to everybody; a test walks every route, role and token.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler

from coordinator.api import limits, problems, rates
from coordinator.context import App
from coordinator.domain import auth
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal
from protocol import ids, scopes
from protocol.api_tokens import TokenCapability
from protocol.roster import Role


class Permit(msgspec.Struct, frozen=True):
    """Which roles may, and the capability that an API token needs for it besides.

    Without a capability it is for people alone: a token that leaked must not be able to make
    another one, or a new operator, and so outlive its own end.
    """

    roles: frozenset[Role]
    capability: TokenCapability | None

    def needs(self, capability: TokenCapability) -> Permit:
        """Return the same for tokens with another capability."""
        return Permit(self.roles, capability)


# `open`: anybody. `known`: anybody, and more for an operator. `link`: the agent link proves itself.
Rule = Literal["open", "known"] | Permit

READ = Permit(frozenset({"admin", "operator", "viewer", "automation"}), "read")
# Asking for work; whether it may be done is decided by a signature that the host checks.
WORK = Permit(frozenset({"admin", "operator", "automation"}), "write")
# Letting hosts in is a person's decision, or that of a token which a person made for just that.
DECIDE = Permit(frozenset({"admin", "operator"}), "write")
ADMIN = Permit(frozenset({"admin"}), None)
# One's own sessions, for whoever logged in with a key.
OWN = Permit(READ.roles, None)

# Signing what changes who may sign: for people, whichever key they sign it with.
SIGN = Permit(frozenset({"admin", "operator"}), None)
RUN = WORK.needs("state.run")
TAG = WORK.needs("tags.write")
COMMAND = WORK.needs("commands.run")
STORE = WORK.needs("modules.write")
UPLOAD = WORK.needs("artifacts.write")
ADMIT = DECIDE.needs("agents.admit")
KEYS = DECIDE.needs("enrolment-keys")
AUDIT = READ.needs("audit.read")
SECRETS = WORK.needs("secrets.write")

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
    ("GET", f"{_V1}/auth/config"): "open",
    ("GET", "/v1/auth/config"): "open",
    ("GET", f"{_V1}/auth/me"): "known",
    ("GET", "/v1/auth/me"): "known",
    ("POST", f"{_V1}/auth/logout"): OWN,
    ("POST", "/v1/auth/logout"): OWN,
    ("GET", f"{_V1}/auth/sessions"): OWN,
    ("DELETE", f"{_V1}/auth/sessions"): OWN,
    ("DELETE", f"{_V1}/auth/sessions/{{session_id}}"): OWN,
    ("GET", f"{_V1}/tokens"): ADMIN,
    ("POST", f"{_V1}/tokens"): ADMIN,
    ("DELETE", f"{_V1}/tokens/{{name}}"): ADMIN,
    ("GET", "/v1/tokens"): ADMIN,
    ("POST", "/v1/tokens"): ADMIN,
    ("DELETE", "/v1/tokens/{name}"): ADMIN,
    ("POST", f"{_V1}/discover"): ADMIT,
    ("GET", f"{_V1}/operators"): READ,
    ("POST", f"{_V1}/operators"): ADMIN,
    ("GET", f"{_V1}/operators/{{operator_id}}"): READ,
    ("DELETE", f"{_V1}/operators/{{operator_id}}"): ADMIN,
    ("GET", f"{_V1}/roster"): READ,
    ("POST", f"{_V1}/roster"): ADMIN,
    ("GET", f"{_V1}/roster/proposals"): READ,
    # Whose signature counts is the roster's say: whoever holds a recovery key may be no admin.
    ("POST", f"{_V1}/roster/proposals"): SIGN,
    ("GET", f"{_V1}/roster/proposals/{{digest}}"): READ,
    ("POST", f"{_V1}/roster/proposals/{{digest}}/signatures"): SIGN,
    ("GET", f"{_V1}/approvals"): READ,
    ("GET", f"{_V1}/approvals/{{run_id}}"): READ,
    ("POST", f"{_V1}/approvals/{{decision_id}}/revoke"): WORK.needs("decisions"),
    ("GET", f"{_V1}/agents"): READ,
    ("GET", f"{_V1}/agents/link"): "open",
    ("GET", f"{_V1}/agents/{{node_id}}"): READ,
    ("POST", f"{_V1}/agents/{{node_id}}"): ADMIT,
    ("DELETE", f"{_V1}/agents/{{node_id}}"): ADMIT,
    ("GET", f"{_V1}/agents/{{node_id}}/attributes"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/statement"): READ,
    ("PUT", f"{_V1}/agents/{{node_id}}/statement"): ADMIT,
    ("GET", f"{_V1}/agents/{{node_id}}/why"): READ,
    ("GET", f"{_V1}/clones"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/clones"): READ,
    # Which of several copies is the host: no token was ever there to look.
    ("POST", f"{_V1}/agents/{{node_id}}/clones"): SIGN,
    ("PUT", f"{_V1}/agents/{{node_id}}/tags"): TAG,
    ("PUT", f"{_V1}/agents/{{node_id}}/tags/{{key}}"): TAG,
    ("DELETE", f"{_V1}/agents/{{node_id}}/tags/{{key}}"): TAG,
    ("GET", f"{_V1}/tags"): READ,
    ("GET", f"{_V1}/modules"): READ,
    ("POST", f"{_V1}/modules"): STORE,
    ("GET", f"{_V1}/modules/{{name}}"): READ,
    ("DELETE", f"{_V1}/modules/{{name}}"): STORE,
    ("POST", f"{_V1}/agents/{{node_id}}/plan"): RUN,
    ("POST", f"{_V1}/agents/{{node_id}}/apply"): RUN,
    ("POST", f"{_V1}/agents/{{node_id}}/drift"): RUN,
    ("GET", f"{_V1}/agents/{{node_id}}/drift"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/drift/latest"): READ,
    ("GET", f"{_V1}/drift/{{drift_id}}"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/state"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/state/operations"): READ,
    ("GET", f"{_V1}/agents/{{node_id}}/state/operations/{{operation_id}}/output"): READ,
    ("GET", f"{_V1}/state/operations"): READ,
    ("GET", f"{_V1}/state/operations/{{operation_id}}"): READ,
    ("GET", f"{_V1}/runs"): READ,
    ("POST", f"{_V1}/runs"): RUN,
    ("GET", f"{_V1}/runs/{{run_id}}"): READ,
    ("POST", f"{_V1}/runs/{{run_id}}/decisions"): WORK.needs("decisions"),
    ("POST", f"{_V1}/runs/{{run_id}}/cancel"): RUN,
    ("GET", f"{_V1}/runs/{{run_id}}/events"): READ,
    ("GET", f"{_V1}/artifacts"): READ,
    ("POST", f"{_V1}/commands"): COMMAND,
    ("POST", f"{_V1}/commands/preview"): COMMAND,
    ("GET", f"{_V1}/commands"): READ,
    ("GET", f"{_V1}/commands/{{command_id}}"): READ,
    ("DELETE", f"{_V1}/commands/{{command_id}}"): COMMAND,
    ("GET", f"{_V1}/commands/{{command_id}}/output"): READ,
    ("GET", f"{_V1}/commands/{{command_id}}/stream"): READ,
    ("GET", f"{_V1}/command_executions"): READ,
    ("GET", f"{_V1}/command_executions/{{execution_id}}"): READ,
    ("DELETE", f"{_V1}/command_executions/{{execution_id}}"): COMMAND,
    ("POST", f"{_V1}/command_executions/{{execution_id}}/cancel"): COMMAND,
    ("PATCH", f"{_V1}/command_executions/{{execution_id}}/cancel"): COMMAND,
    ("GET", f"{_V1}/artifacts/{{sha256}}"): READ,
    ("PUT", f"{_V1}/artifacts/{{sha256}}"): UPLOAD,
    ("GET", f"{_V1}/artifacts/{{sha256}}/upload"): READ,
    ("GET", f"{_V1}/events"): READ,
    ("GET", f"{_V1}/secrets"): READ,
    ("POST", f"{_V1}/secrets"): SECRETS,
    ("GET", f"{_V1}/secrets/{{name}}"): READ,
    ("PUT", f"{_V1}/secrets/{{name}}"): SECRETS,
    ("DELETE", f"{_V1}/secrets/{{name}}"): SECRETS,
    ("POST", f"{_V1}/secrets/{{name}}/restriction"): SECRETS,
    ("POST", f"{_V1}/secrets/{{name}}/wraps"): SECRETS,
    ("GET", f"{_V1}/secrets/{{name}}/sealed"): SECRETS,
    ("GET", f"{_V1}/secret-recipients"): READ,
    ("GET", f"{_V1}/audit"): AUDIT,
    ("DELETE", f"{_V1}/audit"): ADMIN,
    ("GET", f"{_V1}/audit/head"): READ,
    ("GET", f"{_V1}/audit/retention"): AUDIT,
    ("PUT", f"{_V1}/audit/retention"): ADMIN,
    ("GET", f"{_V1}/audit/export"): AUDIT,
    ("GET", f"{_V1}/audit/journals"): AUDIT,
    ("POST", f"{_V1}/clusters/{{cluster_name}}/enrollment_keys"): KEYS,
    ("POST", f"{_V1}/clusters/default/enrollment_keys"): KEYS,
    ("POST", f"{_V1}/clusters/default/enrollment_keys/public"): "open",
    ("GET", f"{_V1}/enrollment_keys"): KEYS,
    ("GET", f"{_V1}/enrollment_keys/{{key_id}}"): KEYS,
    ("PATCH", f"{_V1}/enrollment_keys/{{key_id}}"): KEYS,
    ("DELETE", f"{_V1}/enrollment_keys/{{key_id}}"): KEYS,
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
        case Permit():
            return role in rule.roles


def refusal(rule: Rule | None, actor: Actor | None, scope: str) -> Refusal | None:
    """Say why an operation in a scope is not for this actor, None if it is."""
    if not allows(rule, actor.role if actor is not None else None):
        role = actor.role if actor is not None else "nobody"
        return Refusal("forbidden", f"the role {role} may not do this")
    if actor is None or actor.grant is None or not isinstance(rule, Permit):
        return None
    if rule.capability is None:
        return Refusal("forbidden", "this is not for API tokens: log in with an operator's key")
    if not actor.grant.allows(rule.capability):
        return Refusal("forbidden", f"this token lacks the capability {rule.capability}")
    if not scopes.covers(actor.grant.scope, scope):
        return Refusal("forbidden", f"this token is for {actor.grant.scope}, not for {scope}")
    return None


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
        # Everything of this coordinator is in one scope so far; a path that names one comes later.
        refused = refusal(rule, actor, ids.DEFAULT_SCOPE)
        if refused is not None:
            raise problems.ProblemError(refused)
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
        raise problems.ProblemError(guessed(connection))
    return actor


def guessed(connection: Connection) -> Refusal:
    """Return the refusal of a token that is not valid; who tries many is told to wait.

    A valid one is never looked at here: nobody is locked out by a neighbour's guesses.
    """
    state = connection.app.state
    limit: rates.RateLimit = state.guess_rate
    client = connection.client
    if not limit.admit(client.host if client is not None else "", state.context.clock()):
        return Refusal("too_many_requests", "too many tokens that are not valid; wait a little")
    return Refusal("unauthorized", "the session token is not valid or has expired: log in again")


async def session_of(context: App, header: str | None) -> Actor | None:
    """Return who a header `Authorization` stands for, if its token is valid at this moment."""
    kind, _, token = (header or "").partition(" ")
    if kind.lower() != "bearer" or not 0 < len(token) <= _MAX_TOKEN or not token.isascii():
        return None
    actor = await context.store.read(lambda tx: auth.actor_of(tx, token))
    if actor is not None and actor.stale:
        await context.store.write(lambda tx: auth.touch(tx, token))
    return actor
