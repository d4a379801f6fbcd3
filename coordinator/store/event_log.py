"""Lines of the event log: what one is, and how it is appended to the hash chain.

Reading the log is `coordinator.store.events`; this module stands below the transaction that uses
it.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import Connection, desc, insert, select

from coordinator.store import schema
from protocol.audit_chain import GENESIS, line_hash

__all__ = [
    "COORDINATOR",
    "GENESIS",
    "Event",
    "NewEvent",
    "Principal",
    "Severity",
    "append",
    "line_hash",
]

Severity = Literal["info", "warning", "critical"]


class Principal(msgspec.Struct, frozen=True):
    """Who did something, or to what it was done: `operator`, `agent`, `coordinator`, `run` …."""

    type: str
    id: str
    name: str = ""


COORDINATOR = Principal("coordinator", "coordinator", "coordinator")


class NewEvent(msgspec.Struct, frozen=True):
    """An event that is about to be written; `type` is dotted, such as `agent.approved`."""

    type: str
    scope: str
    actor: Principal
    target: Principal
    summary: str
    severity: Severity = "info"
    data: dict[str, str | int | bool | None] = {}


class Event(msgspec.Struct, frozen=True):
    """One written event; `hash` covers the line and the hash before it."""

    seq: int
    event_id: str
    at: float
    type: str
    scope: str
    severity: Severity
    actor: Principal
    target: Principal
    summary: str
    data: dict[str, str | int | bool | None]
    prev_hash: bytes
    hash: bytes


# Built once: building a statement costs twice what running it does.
_LAST = (
    select(schema.events.c.seq, schema.events.c.hash).order_by(desc(schema.events.c.seq)).limit(1)
)
_INSERT = insert(schema.events)


def append(conn: Connection, event: NewEvent, *, at: float, event_id: str) -> int:
    """Write an event and return its sequence number."""
    last = conn.execute(_LAST).first()
    seq, prev = (int(last.seq) + 1, bytes(last.hash)) if last else (1, GENESIS)
    values: dict[str, str | int | float | bytes] = {
        "seq": seq,
        "event_id": event_id,
        "at": at,
        "scope": event.scope,
        "type": event.type,
        "severity": event.severity,
        "actor": _text(event.actor),
        "target": _text(event.target),
        "target_id": event.target.id,
        "summary": event.summary,
        "data": _text(event.data),
    }
    digest = line_hash(prev, tuple(values.values()))
    conn.execute(_INSERT, {**values, "prev_hash": prev, "hash": digest})
    return seq


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
