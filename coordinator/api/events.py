"""GET /events and /artifacts: the log of what happened, and the bytes that it names."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from coordinator.api import streams
from coordinator.api.calls import Caller, accept, refuse
from coordinator.api.problems import documented
from coordinator.api.tracing import rfc3339
from coordinator.domain.refusals import Refusal, invalid
from coordinator.store import artifacts, events
from coordinator.store.database import Tx
from coordinator.store.events import Event, Principal
from protocol.errors import InvalidName
from protocol.ids import DEFAULT_SCOPE, check_hex64

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


@get(
    "/artifacts/{sha256:str}",
    tags=["events"],
    summary="Fetch an artifact",
    media_type="application/octet-stream",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def fetch_artifact(call: Caller, sha256: FromPath[str]) -> Response[bytes]:
    """Return the bytes that an event or a run's step names."""
    try:
        check_hex64(sha256, "sha256")
    except InvalidName as error:
        accept(invalid("sha256", str(error)))
    data = await call.read(lambda tx: artifacts.read(tx, sha256, DEFAULT_SCOPE))
    if data is None:
        raise refuse("not_found", "there is no such artifact")
    headers = {"etag": f'"{sha256}"', "content-disposition": "attachment"}
    return Response(data, media_type="application/octet-stream", headers=headers)


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


routes = (read_events, fetch_artifact)
