"""/auth/config, me, logout and sessions: how one logs in, as whom, and where else."""

from __future__ import annotations

from litestar import delete, get, post
from litestar.params import FromPath, FromQuery

from coordinator.api.calls import ApiRequest, Caller
from coordinator.api.problems import documented
from coordinator.domain import sessions
from protocol.api_tokens import AuthConfig, Ended, LoggedOut, Me, Sessions

TAGS = ["auth"]


@get(
    ["/api/v1/auth/config", "/v1/auth/config"],
    tags=TAGS,
    summary="How one logs in here",
    responses=documented("bad_request"),
)
async def auth_config() -> AuthConfig:
    """Return the ways to log in: with an operator's key; there is no password."""
    return AuthConfig()


@get(
    ["/api/v1/auth/me", "/v1/auth/me"],
    tags=TAGS,
    summary="Who am I",
    responses=documented("bad_request", "unauthorized"),
)
async def auth_me(request: ApiRequest) -> Me:
    """Return whom the bearer stands for; without one nobody."""
    actor = request.user
    if actor is None:
        return Me(authenticated=False, method="none")
    grant = actor.grant
    return Me(
        authenticated=True,
        method="session" if grant is None else "bearer",
        name=actor.username if grant is None else grant.name,
        username=actor.username,
        role=actor.role,
        operator_id=actor.operator_id,
        capabilities=tuple(sorted(grant.capabilities)) if grant is not None else (),
        scope=grant.scope if grant is not None else "*",
    )


@post(
    ["/api/v1/auth/logout", "/v1/auth/logout"],
    status_code=200,
    tags=TAGS,
    summary="Log out",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def auth_logout(call: Caller) -> LoggedOut:
    """End the session that asks."""
    actor = call.actor
    await call.change(lambda tx: sessions.log_out(tx, actor))
    return LoggedOut()


@get(
    "/api/v1/auth/sessions",
    tags=TAGS,
    summary="List log-in sessions",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def list_sessions(call: Caller, everybody: FromQuery[bool] = False) -> Sessions:
    """Return one's own sessions that are not over; an admin may ask for everybody's."""
    actor = call.actor
    return await call.read(lambda tx: sessions.listing(tx, actor, everybody=everybody))


@delete(
    "/api/v1/auth/sessions",
    status_code=200,
    tags=TAGS,
    summary="End all log-in sessions of one operator",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def end_sessions(call: Caller, operator_id: FromQuery[str | None] = None) -> Ended:
    """End all of one's own sessions; an admin may name somebody else."""
    actor = call.actor
    return await call.change(lambda tx: sessions.end_all(tx, actor, operator_id))


@delete(
    "/api/v1/auth/sessions/{session_id:str}",
    tags=TAGS,
    summary="End a log-in session",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def end_session(call: Caller, session_id: FromPath[str]) -> None:
    """End one session of one's own; an admin may end anybody's."""
    actor = call.actor
    await call.change(lambda tx: sessions.end(tx, actor, session_id))


routes = (
    auth_config,
    auth_me,
    auth_logout,
    list_sessions,
    end_sessions,
    end_session,
)
