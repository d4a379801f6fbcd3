"""API bodies of the audit family: the published event, its page, retention, heads."""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol import dsse

RetentionMode = Literal["days", "disabled", "default"]


class AuditPrincipal(msgspec.Struct, frozen=True):
    """Who did something, or to what it was done."""

    type: str
    id: str
    name: str = ""


class AuditEvent(msgspec.Struct, frozen=True):
    """One event; `seq` is its line in the log, `hash` (hex) covers it and all before it."""

    id: str
    event_type: str
    severity: str
    timestamp: str
    actor: AuditPrincipal
    target: AuditPrincipal
    summary: str
    metadata: dict[str, str | int | bool | None]
    seq: int = 0
    hash: str = ""


class AuditPage(msgspec.Struct, frozen=True):
    """GET /audit: newest first; `next_cursor` goes on with older ones."""

    events: tuple[AuditEvent, ...]
    has_more: bool
    next_cursor: str | None = None


class Pruned(msgspec.Struct, frozen=True):
    """DELETE /audit: how many lines were removed, and what was signed about it."""

    deleted: int
    tombstone: dsse.Envelope | None = None


class Retention(msgspec.Struct, frozen=True):
    """GET /audit/retention: how long events are kept; null days: for ever."""

    retention_days: int | None
    mode: RetentionMode = "default"


class RetentionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /audit/retention: a number of days; or mode `disabled` (for ever) or `default`.

    Null days without a mode mean `disabled`.
    """

    retention_days: int | None = None
    mode: RetentionMode | None = None


class KnownLine(msgspec.Struct, frozen=True):
    """What the log holds at a line that was asked for; no hash: it is not there."""

    seq: int
    hash: str | None


class AuditHead(msgspec.Struct, frozen=True):
    """GET /audit/head: the signed end of the log, and what was signed about its pruned beginning.

    `head` is null only while there is no event at all. `known` answers `?known=SEQ`.
    """

    head: dsse.Envelope | None
    tombstones: tuple[dsse.Envelope, ...] = ()
    known: KnownLine | None = None
