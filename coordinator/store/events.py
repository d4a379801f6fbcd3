"""Reading the event log: one global sequence, hash-chained, written with the changes it tells of.

Audit, watches, webhooks and streams are readers of it; `Tx.emit` writes it. What is worth an event
is the domain's say.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Row, desc, select

from coordinator.store import schema
from coordinator.store.database import Tx
from coordinator.store.event_log import (
    COORDINATOR,
    GENESIS,
    Event,
    NewEvent,
    Principal,
    Severity,
    line_hash,
)
from coordinator.store.schema_access import audit_tombstones

__all__ = [
    "COORDINATOR",
    "Event",
    "NewEvent",
    "Principal",
    "Severity",
    "after",
    "broken_at",
    "from_row",
    "head",
    "latest",
]

# A page of events: 500 lines of about 1 KiB are half a megabyte.
MAX_PAGE = 500


def after(
    tx: Tx, seq: int, *, limit: int = MAX_PAGE, scope: str | None = None, target: str | None = None
) -> tuple[Event, ...]:
    """Return events with a higher sequence, oldest first."""
    query = select(schema.events).where(schema.events.c.seq > seq)
    if scope is not None:
        query = query.where(schema.events.c.scope == scope)
    if target is not None:
        query = query.where(schema.events.c.target_id == target)
    query = query.order_by(schema.events.c.seq).limit(min(limit, MAX_PAGE))
    return tuple(from_row(row) for row in tx.conn.execute(query))


def latest(
    tx: Tx,
    *,
    limit: int = MAX_PAGE,
    scope: str | None = None,
    target: str | None = None,
    kinds: tuple[str, ...] = (),
    prefix: str = "",
) -> tuple[Event, ...]:
    """Return the last events, newest first; `kinds` or `prefix` choose types."""
    query = select(schema.events)
    if scope is not None:
        query = query.where(schema.events.c.scope == scope)
    if target is not None:
        query = query.where(schema.events.c.target_id == target)
    if kinds:
        query = query.where(schema.events.c.type.in_(kinds))
    if prefix:
        query = query.where(schema.events.c.type.startswith(prefix, autoescape=True))
    query = query.order_by(desc(schema.events.c.seq)).limit(min(limit, MAX_PAGE))
    return tuple(from_row(row) for row in tx.conn.execute(query))


def head(tx: Tx) -> int:
    """Return the sequence of the last event, 0 where there is none."""
    query = select(schema.events.c.seq).order_by(desc(schema.events.c.seq)).limit(1)
    return int(tx.conn.execute(query).scalar() or 0)


def broken_at(tx: Tx) -> int | None:
    """Return the first sequence at which the hash chain does not hold, or None if all of it does.

    It begins where the newest prune statement says. Reads the whole log.
    """
    pruned = select(audit_tombstones).order_by(desc(audit_tombstones.c.seq)).limit(1)
    start = tx.conn.execute(pruned).first()
    prev, expected = GENESIS, 1
    if start is not None:
        prev, expected = bytes.fromhex(start.hash), int(start.seq) + 1
    for row in tx.conn.execute(select(schema.events).order_by(schema.events.c.seq)):
        line: list[str | int | float | bytes] = [
            row.seq, row.event_id, row.at, row.scope, row.type, row.severity,
            row.actor, row.target, row.target_id, row.summary, row.data,
        ]  # fmt: skip
        own = line_hash(prev, line)
        if row.seq != expected or bytes(row.prev_hash) != prev or bytes(row.hash) != own:
            return expected
        prev, expected = own, expected + 1
    return None


def from_row(row: Row[*tuple[object, ...]]) -> Event:
    """Return the event that a row of the table holds."""
    return Event(
        seq=row.seq,
        event_id=row.event_id,
        at=row.at,
        type=row.type,
        scope=row.scope,
        severity=row.severity,
        actor=msgspec.json.decode(row.actor, type=Principal),
        target=msgspec.json.decode(row.target, type=Principal),
        summary=row.summary,
        data=msgspec.json.decode(row.data, type=dict[str, str | int | bool | None]),
        prev_hash=row.prev_hash,
        hash=row.hash,
    )
