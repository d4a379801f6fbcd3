"""GET /events: the log of what happened."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from coordinator.api import streams
from coordinator.api.calls import Caller
from coordinator.api.problems import documented
from coordinator.api.tracing import rfc3339
from coordinator.domain.refusals import Refusal
from coordinator.store import events
from coordinator.store.database import Tx
from coordinator.store.events import Event, Principal

After = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="Only what comes after.")]
Limit = Annotated[int, QueryParameter(ge=1, le=events.MAX_PAGE, description="Events on a page.")]


class EventLine(msgspec.Struct, frozen=True):
    """One event; each `hash` (hex) covers the line and the hash before it."""

    seq: int
    event_id: str
    at: str
    type: str
    scope: str
    severity: str
    actor: Principal
    target: Principal
    summary: str
    data: dict[str, str | int | bool | None]
    prev_hash: str
    hash: str


class EventPage(msgspec.Struct, frozen=True):
    """Events, oldest first; `next` is what to give as `after` for the page that follows."""

    events: tuple[EventLine, ...]
    next: int


@get(
    "/events",
    tags=["events"],
    summary="Read the event log",
    responses=documented("bad_request", "unauthorized"),
)
async def read_events(
    call: Caller,
    after: After = 0,
    limit: Limit = 100,
    target: FromQuery[str | None] = None,
) -> Response[EventPage] | Stream:
    """Return a page of events, or with `Accept: text/event-stream` a stream that goes on."""
    if "text/event-stream" in call.request.headers.get("accept", ""):
        start = streams.resume_point(call, after)

        async def look(seq: int) -> streams.Look:
            return await call.read(lambda tx: _look(tx, seq, target))

        return streams.stream(call, ("events",), start, look)
    found = await call.read(lambda tx: _page(tx, after, limit, target))
    return Response(found)


def _page(tx: Tx, after: int, limit: int, target: str | None) -> EventPage | Refusal:
    found = events.after(tx, after, limit=limit, target=target)
    return EventPage(tuple(map(_line, found)), found[-1].seq if found else after)


def _look(tx: Tx, after: int, target: str | None) -> streams.Look | Refusal:
    found = events.after(tx, after, limit=100, target=target)
    return streams.Look([streams.Line(e.seq, e.type, msgspec.json.encode(_line(e))) for e in found])


def _line(event: Event) -> EventLine:
    return EventLine(
        seq=event.seq,
        event_id=event.event_id,
        at=rfc3339(event.at),
        type=event.type,
        scope=event.scope,
        severity=event.severity,
        actor=event.actor,
        target=event.target,
        summary=event.summary,
        data=event.data,
        prev_hash=event.prev_hash.hex(),
        hash=event.hash.hex(),
    )


routes = (read_events,)
