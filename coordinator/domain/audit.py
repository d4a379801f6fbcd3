"""The event log as evidence: searched, signed, pruned with a signature, kept as decided.

Who may is the permission table's say; when heads are made and old events go is the keeper's.
"""

from __future__ import annotations

import msgspec

from coordinator.domain import operators
from coordinator.domain.refusals import Refusal, invalid
from coordinator.store import audit, settings
from coordinator.store.audit import Search
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, Event, NewEvent, Principal
from protocol import api_audit, audit_heads, ids
from protocol.api_audit import RetentionRequest
from protocol.audit_heads import Head
from protocol.keys import SigningKey

# The published limits of the list.
DEFAULT_LIMIT, MAX_LIMIT = 50, 500
# A hundred years: more is a slip of the finger.
MAX_DAYS = 36_500
DAY = 86_400
_RETENTION = "audit.retention"


class Page(msgspec.Struct, frozen=True):
    """Events, newest first, and whether older ones follow."""

    events: tuple[Event, ...]
    has_more: bool


def page(tx: Tx, search: Search, cursor: str | None, limit: int) -> Page | Refusal:
    """Return events that fit; `cursor` is the id of the last event of the page before."""
    below = None
    if cursor is not None:
        below = audit.seq_of(tx, cursor)
        if below is None:
            return invalid("cursor", "cursor must be the id of an event that is still there")
    found = audit.find(tx, search, below, limit + 1)
    return Page(found[:limit], len(found) > limit)


def operator_ids(tx: Tx, who: str) -> tuple[str, ...]:
    """Return what to look for where an operator is named by id or username, removed ones too."""
    known = operators.listing(tx, include_removed=True)
    folded = ids.fold_name(who)
    found = [one.operator_id for one in known if ids.fold_name(one.username) == folded]
    return (who, *found)


def shown_head(tx: Tx, key: SigningKey, known: int | None) -> api_audit.AuditHead:
    """Return the signed end of the log, made now if something is new, and what was pruned."""
    sign_head(tx, key)
    line = None
    if known is not None:
        line = api_audit.KnownLine(known, audit.hash_at(tx, known))
    return api_audit.AuditHead(audit.head(tx), audit.tombstones(tx), line)


def sign_head(tx: Tx, key: SigningKey) -> bool:
    """Sign where the log ends, if that is due; say whether it was."""
    if not head_is_due(tx, key):
        return False
    tail = audit.tail(tx)
    head = Head(1, "head", tail.seq, tail.hash, int(tx.now), key.public.hex())
    audit.add_head(tx, tail.seq, tail.hash, audit_heads.sign(head, key))
    return True


def head_is_due(tx: Tx, key: SigningKey) -> bool:
    """Say whether the log grew since its last signed head, or that is of an older key.

    Hosts that have followed to the new key take no head of the older one.
    """
    newest = audit.head(tx)
    if newest is None or audit_heads.decode(newest).coordinator_key != key.public.hex():
        return audit.tail(tx).seq > 0
    return audit.tail(tx).seq > audit.head_seq(tx)


def prune_asked(
    tx: Tx, by: Principal, before: float, key: SigningKey
) -> api_audit.Pruned | Refusal:
    """Prune because a person asked; a time to come is a slip of the finger, and takes all."""
    if before > tx.now:
        return invalid("before", "before must not lie in the future: it would remove every event")
    return prune(tx, by, before, key)


def prune(tx: Tx, by: Principal, before: float, key: SigningKey) -> api_audit.Pruned:
    """Remove the beginning of the log that is older than a time, and sign what was removed."""
    through, count = audit.older_than(tx, before)
    last = audit.hash_at(tx, through)
    if last is None:
        return api_audit.Pruned(0)
    earlier = audit.tombstones(tx)
    statement = Head(
        v=1,
        kind="prune",
        seq=through,
        hash=last,
        at=int(tx.now),
        coordinator_key=key.public.hex(),
        removed=count,
        by=by.name or by.id,
        previous=audit_heads.digest(earlier[-1]) if earlier else "",
    )
    envelope = audit_heads.sign(statement, key)
    # Written before the lines go, so the log is never empty and its numbers go on.
    _emit(
        tx,
        "audit.pruned",
        by,
        f"{count} events up to line {through} were removed",
        tombstone=audit_heads.digest(envelope),
        through=through,
        removed=count,
    )
    audit.add_tombstone(tx, through, last, envelope)
    audit.delete_through(tx, through)
    return api_audit.Pruned(count, envelope)


class _Stored(msgspec.Struct, frozen=True):
    mode: api_audit.RetentionMode
    days: int | None


def retention(tx: Tx, default_days: int) -> api_audit.Retention:
    """Return how long events are kept; `default_days` is the configuration's, 0 for ever."""
    text = settings.get(tx, _RETENTION)
    stored = msgspec.json.decode(text, type=_Stored) if text else _Stored("default", None)
    days = (default_days or None) if stored.mode == "default" else stored.days
    return api_audit.Retention(days, stored.mode)


def set_retention(
    tx: Tx, by: Principal, request: RetentionRequest, default_days: int
) -> api_audit.Retention | Refusal:
    """Decide how long events are kept; what is older goes with the keeper's next turn."""
    days, mode = request.retention_days, request.mode
    if mode is None:
        mode = "disabled" if days is None else "days"
    if (mode == "days") != (days is not None):
        text = "retention_days goes with mode days, and with no other"
        return invalid("retention_days", text)
    if days is not None and not 1 <= days <= MAX_DAYS:
        return invalid("retention_days", f"retention_days must be 1 to {MAX_DAYS}")
    before = retention(tx, default_days)
    settings.put(tx, _RETENTION, msgspec.json.encode(_Stored(mode, days)).decode())
    now = retention(tx, default_days)
    if now != before:
        text = f"events are kept {_words(now)}; it was {_words(before)}"
        _emit(tx, "audit.retention_changed", by, text, days=now.retention_days, mode=now.mode)
    return now


def _words(kept: api_audit.Retention) -> str:
    return "for ever" if kept.retention_days is None else f"{kept.retention_days} days"


def prune_old(tx: Tx, key: SigningKey, default_days: int) -> api_audit.Pruned:
    """Remove what is older than the retention says."""
    days = retention(tx, default_days).retention_days
    if days is None:
        return api_audit.Pruned(0)
    return prune(tx, COORDINATOR, tx.now - days * DAY, key)


def old_is_there(tx: Tx, default_days: int) -> bool:
    """Say whether something is older than the retention says."""
    days = retention(tx, default_days).retention_days
    return days is not None and audit.older_than(tx, tx.now - days * DAY)[1] > 0


def _emit(tx: Tx, kind: str, by: Principal, summary: str, **data: str | int | None) -> None:
    target = Principal("audit", "audit", "event log")
    scope = ids.DEFAULT_SCOPE
    tx.emit(NewEvent(kind, scope, by, target, summary, "warning", dict(data)))
