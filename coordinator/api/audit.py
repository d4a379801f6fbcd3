"""/audit: the event log as evidence: searched, signed, pruned, exported."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar import Response, delete, get, put
from litestar.params import FromQuery, JSONBody, QueryParameter

from coordinator.api.calls import Caller, accept
from coordinator.api.problems import documented
from coordinator.api.tracing import rfc3339
from coordinator.domain import audit, audit_export
from coordinator.domain.refusals import Refusal, invalid
from coordinator.store.audit import Search
from coordinator.store.database import Tx
from coordinator.store.events import Event, Principal
from protocol import api_audit
from protocol.api_audit import AuditEvent, AuditPage, AuditPrincipal

TAGS = ["audit"]
NDJSON = "application/x-ndjson"
Limit = Annotated[int, QueryParameter(ge=1, le=audit.MAX_LIMIT, description="Events on a page.")]
Lines = Annotated[
    int, QueryParameter(ge=1, le=audit_export.MAX_LINES, description="Lines in an answer.")
]
After = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="Only what comes after.")]
Known = Annotated[
    int | None, QueryParameter(ge=1, le=2**53 - 1, description="A line to tell the hash of.")
]


@get(
    "/audit",
    tags=TAGS,
    summary="Search the audit log",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def search_audit(  # noqa: PLR0913 - one argument per published filter
    call: Caller,
    agent: FromQuery[str | None] = None,
    operator: FromQuery[str | None] = None,
    event_type: FromQuery[str | None] = None,
    category: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Limit = audit.DEFAULT_LIMIT,
) -> AuditPage:
    """Return events, newest first; `agent` and `operator` are ids or names, of actor or target."""
    since, until = _time("after", after), _time("before", before)

    def look(tx: Tx) -> audit.Page | Refusal:
        search = Search(
            agent=(agent,) if agent is not None else (),
            operator=audit.operator_ids(tx, operator) if operator is not None else (),
            event_type=event_type,
            category=category,
            after=since,
            before=until,
        )
        return audit.page(tx, search, cursor, limit)

    found = await call.read(look)
    events = tuple(map(_view, found.events))
    following = events[-1].id if found.has_more else None
    return AuditPage(events, found.has_more, following)


@delete(
    "/audit",
    status_code=200,
    tags=TAGS,
    summary="Prune the audit log",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def prune_audit(call: Caller, before: FromQuery[str]) -> api_audit.Pruned:
    """Remove what is strictly older; what was removed is signed, and the rest still verifies."""
    until = _time("before", before)
    who, key = call.actor.principal(), call.context.identity
    assert until is not None  # noqa: S101 - a text was given, and what is no time was refused
    return await call.change(lambda tx: audit.prune_asked(tx, who, until, key))


@get(
    "/audit/retention",
    tags=TAGS,
    summary="How long events are kept",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def show_retention(call: Caller) -> api_audit.Retention:
    """Return the days that events are kept, null for ever."""
    default = call.context.config.audit_retention_days
    return await call.read(lambda tx: audit.retention(tx, default))


@put(
    "/audit/retention",
    tags=TAGS,
    summary="Decide how long events are kept",
    responses=documented("bad_request", "unauthorized", "forbidden", "payload_too_large"),
)
async def set_retention(
    call: Caller, data: JSONBody[api_audit.RetentionRequest]
) -> api_audit.Retention:
    """Keep events for a number of days, for ever (`disabled`), or as configured (`default`)."""
    default, who = call.context.config.audit_retention_days, call.actor.principal()
    return await call.change(lambda tx: audit.set_retention(tx, who, data, default))


@get(
    "/audit/head",
    tags=TAGS,
    summary="The signed end of the audit log",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def show_head(call: Caller, known: Known = None) -> api_audit.AuditHead:
    """Return what the coordinator signs about its log now; remember it, and compare the next."""
    key = call.context.identity
    return await call.change(lambda tx: audit.shown_head(tx, key, known))


@get(
    "/audit/export",
    tags=TAGS,
    summary="Lines of the audit log as they are stored",
    media_type=NDJSON,
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def export_lines(
    call: Caller, after: After = 0, limit: Lines = audit_export.DEFAULT_LINES
) -> Response[bytes]:
    """Return lines after a sequence, one JSON object each, oldest first; none: that was all."""
    data = await call.read(lambda tx: audit_export.lines(tx, after, limit))
    return Response(data, media_type=NDJSON)


@get(
    "/audit/journals",
    tags=TAGS,
    summary="Entries of the hosts' journals, signed by them",
    media_type=NDJSON,
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def export_journals(
    call: Caller,
    node_id: FromQuery[str] = "",
    after: After = 0,
    limit: Lines = audit_export.DEFAULT_LINES,
) -> Response[bytes]:
    """Return entries by host and sequence, after one of a host; none: that was all."""
    data = await call.read(lambda tx: audit_export.journals_after(tx, node_id, after, limit))
    return Response(data, media_type=NDJSON)


def _time(field: str, text: str | None) -> float | None:
    if text is None:
        return None
    wrong = invalid(field, f"{field} must be a time such as 2026-01-31T12:00:00Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return accept(wrong)
    return accept(wrong) if moment.tzinfo is None else moment.timestamp()


def _view(event: Event) -> AuditEvent:
    return AuditEvent(
        id=event.event_id,
        event_type=event.type,
        severity=event.severity,
        timestamp=rfc3339(event.at),
        actor=_who(event.actor),
        target=_who(event.target),
        summary=event.summary,
        metadata=event.data,
        seq=event.seq,
        hash=event.hash.hex(),
    )


def _who(who: Principal) -> AuditPrincipal:
    return AuditPrincipal(who.type, who.id, who.name)


routes = (
    search_audit,
    prune_audit,
    show_retention,
    set_retention,
    show_head,
    export_lines,
    export_journals,
)
