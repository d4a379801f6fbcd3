"""The web application, put together: routes, permissions, errors, document, background work."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.types import ASGIApp, ControllerRouterHandler

from coordinator.api import (
    agents,
    approvals,
    artifacts,
    audit,
    auth,
    browse,
    clones,
    commands,
    discover,
    documented,
    enrollment_keys,
    envelope,
    events,
    executions,
    health,
    modules,
    operators,
    permissions,
    problems,
    roster,
    runs,
    secrets,
    sessions,
    state,
    status,
    tags,
    tokens,
)
from coordinator.api.calls import provide_call
from coordinator.api.rates import RateLimit
from coordinator.audit_keeper import keep
from coordinator.autosigner import autosign
from coordinator.context import App
from coordinator.link import link_route
from coordinator.sweeper import sweep
from protocol.limits import MAX_BODY
from protocol.version import VERSION

# Failed log-ins that are written into the event log: 6 a minute are 3 MB a month.
REPORTS_PER_MINUTE = 6

_FAMILIES: tuple[Sequence[ControllerRouterHandler], ...] = (
    status.routes,
    discover.routes,
    auth.routes,
    operators.routes,
    roster.routes,
    agents.routes,
    clones.routes,
    tags.routes,
    modules.routes,
    secrets.routes,
    enrollment_keys.routes,
    state.routes,
    runs.routes,
    approvals.routes,
    commands.routes,
    executions.routes,
    events.routes,
    artifacts.routes,
    audit.routes,
)


def build(context: App) -> ASGIApp:
    """Return the application for a server to run."""
    streams: Counter[str] = Counter()
    per_minute = context.config.auth_requests_per_minute
    settings = State(
        {
            "context": context,
            "streams": streams,
            "uploads": Counter[str](),
            # Knocks, wrong answers and tokens that are none each have a bucket of their own: who
            # uses one up is not kept from the rest.
            "log_in_rate": RateLimit(per_minute),
            "wrong_rate": RateLimit(per_minute),
            "guess_rate": RateLimit(per_minute),
            "report_rate": RateLimit(REPORTS_PER_MINUTE),
        }
    )
    return envelope.wrap(framework(settings), context.clock)


def framework(settings: State | None = None) -> Litestar:
    """Return the routes with all that belongs to them; without a state only to be described."""
    handlers = [handler for family in _FAMILIES for handler in family]
    return Litestar(
        [
            Router("/api/v1", route_handlers=handlers),
            *tokens.routes,
            *sessions.routes,
            *health.routes,
            link_route,
        ],
        state=settings,
        guards=[permissions.guard],
        dependencies={
            "call": Provide(provide_call, sync_to_thread=False),
            "context": Provide(provide_context, sync_to_thread=False),
        },
        exception_handlers={Exception: problems.answer, HTTPException: problems.answer},
        request_max_body_size=MAX_BODY,
        openapi_config=_document(),
        lifespan=[_background] if settings is not None else [],
        logging_config=None,
        debug=False,
    )


def provide_context(state: State) -> App:
    """Return what the WebSocket routes work with."""
    context: App = state.context
    return context


@asynccontextmanager
async def _background(app: Litestar) -> AsyncGenerator[None]:
    context: App = app.state.context
    async with anyio.create_task_group() as group:
        group.start_soon(sweep, context)
        group.start_soon(keep, context)
        group.start_soon(autosign, context)
        try:
            yield
        finally:
            context.hub.close()
            group.cancel_scope.cancel()
    await context.store.aclose()


def _document() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Standfast coordinator",
        version=VERSION,
        description="Keeps a fleet of Linux hosts as their operators approved them.",
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=browse.plugins(),
        servers=[],
        tags=[Tag(name=name, description=text) for name, text in documented.TAGS],
        security=[{"bearer": []}],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="A session token of POST /api/v1/auth/verify, or an API token.",
                )
            }
        ),
    )
