"""/roster: the signed chain of operator lists, carried to hosts as it is."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, QueryParameter

from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import roster
from protocol import api

TAGS = ["roster"]
After = Annotated[
    int, QueryParameter(ge=0, le=2**53 - 1, description="Only versions after this one.")
]


@get(
    "/roster",
    tags=TAGS,
    summary="Show the roster chain",
    responses=documented("bad_request", "unauthorized"),
)
async def show_roster(call: Caller, after: After = 0) -> api.RosterResponse:
    """Return version and digest held, and the chain, oldest first; version 0 means none yet."""
    return await call.read(lambda tx: roster.show(tx, after))


@post(
    "/roster",
    tags=TAGS,
    summary="Bring the next roster version",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large"
    ),
)
async def bring_roster(call: Caller, data: JSONBody[api.RosterRequest]) -> api.RosterResponse:
    """Take a version that a quorum of the admins of the one held has signed."""
    actor = call.actor
    return await call.create(api.RosterResponse, lambda tx: roster.accept(tx, actor, data.envelope))


routes = (show_roster, bring_roster)
