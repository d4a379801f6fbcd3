"""The event log as evidence: signed heads, what was pruned, lines as stored, and the search.

Lines are written by `event_log`; what is signed and when is the domain's say.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, Row, and_, delete, desc, func, insert, or_, select

from coordinator.store import schema
from coordinator.store.database import Tx
from coordinator.store.events import Event, from_row
from coordinator.store.schema_access import audit_heads, audit_tombstones
from protocol import dsse
from protocol.audit_chain import Line

# Heads that are kept, the newest: 1,000 of 700 bytes. Clients and agents keep their own.
KEEP_HEADS = 1_000
_EVENTS = schema.events.c


class Tail(msgspec.Struct, frozen=True):
    """Where the log ends: its last sequence (0 for none) and hash (hex)."""

    seq: int
    hash: str


class Search(msgspec.Struct, frozen=True):
    """What to look for; times in epoch seconds, `after` inclusive, `before` exclusive.

    `agent` and `operator` are ids or names of the actor or the target; any of them will do.
    """

    agent: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    event_type: str | None = None
    category: str | None = None
    after: float | None = None
    before: float | None = None


def tail(tx: Tx) -> Tail:
    """Return where the log ends."""
    row = tx.conn.execute(
        select(_EVENTS.seq, _EVENTS.hash).order_by(desc(_EVENTS.seq)).limit(1)
    ).first()
    return Tail(int(row.seq), bytes(row.hash).hex()) if row is not None else Tail(0, "00" * 32)


def hash_at(tx: Tx, seq: int) -> str | None:
    """Return the hash of a line, None if it is not there."""
    value: bytes | None = tx.conn.execute(select(_EVENTS.hash).where(_EVENTS.seq == seq)).scalar()
    return value.hex() if value is not None else None


def seq_of(tx: Tx, event_id: str) -> int | None:
    """Return the sequence of an event by its id, None if there is none."""
    value: int | None = tx.conn.execute(
        select(_EVENTS.seq).where(_EVENTS.event_id == event_id)
    ).scalar()
    return value


def find(tx: Tx, search: Search, below: int | None, limit: int) -> tuple[Event, ...]:
    """Return events that fit, newest first; `below` is a sequence to go on under."""
    query = select(schema.events).where(*_conditions(search))
    if below is not None:
        query = query.where(_EVENTS.seq < below)
    rows = tx.conn.execute(query.order_by(desc(_EVENTS.seq)).limit(limit))
    return tuple(map(from_row, rows))


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for kind, given in (("agent", search.agent), ("operator", search.operator)):
        if given:
            found.append(or_(*(_is(kind, who) for who in given)))
    if search.event_type is not None:
        found.append(_EVENTS.type == search.event_type)
    if search.category is not None:
        below = _EVENTS.type.startswith(f"{search.category}.", autoescape=True)
        found.append(or_(_EVENTS.type == search.category, below))
    if search.after is not None:
        found.append(_EVENTS.at >= search.after)
    if search.before is not None:
        found.append(_EVENTS.at < search.before)
    return found


def _is(kind: str, who: str) -> ColumnElement[bool]:
    # A principal is stored as {"type":…,"id":…,"name":…}, made by one encoder.
    begin = msgspec.json.encode({"type": kind, "id": who}).decode()[:-1] + ","
    named = msgspec.json.encode({"name": who}).decode()[1:]
    typed = f'{{"type":"{kind}",'
    by_id = or_(
        _EVENTS.actor.startswith(begin, autoescape=True),
        and_(_EVENTS.target_id == who, _EVENTS.target.startswith(typed, autoescape=True)),
    )
    columns = (_EVENTS.actor, _EVENTS.target)
    by_name = (
        and_(
            column.startswith(typed, autoescape=True),
            column.endswith("," + named, autoescape=True),
        )
        for column in columns
    )
    return or_(by_id, *by_name)


def lines(tx: Tx, after: int, limit: int) -> tuple[Line, ...]:
    """Return lines after a sequence exactly as they are stored, oldest first."""
    query = select(schema.events).where(_EVENTS.seq > after).order_by(_EVENTS.seq).limit(limit)
    return tuple(map(_line, tx.conn.execute(query)))


def _line(row: Row[*tuple[object, ...]]) -> Line:
    return Line(
        seq=row.seq,
        event_id=row.event_id,
        at=row.at,
        scope=row.scope,
        type=row.type,
        severity=row.severity,
        actor=msgspec.Raw(row.actor.encode()),
        target=msgspec.Raw(row.target.encode()),
        target_id=row.target_id,
        summary=row.summary,
        data=msgspec.Raw(row.data.encode()),
        prev_hash=bytes(row.prev_hash).hex(),
        hash=bytes(row.hash).hex(),
    )


def head(tx: Tx) -> dsse.Envelope | None:
    """Return the newest signed head, None before the first."""
    query = select(audit_heads.c.envelope).order_by(desc(audit_heads.c.seq)).limit(1)
    return _decoded(tx.conn.execute(query).scalar())


def head_seq(tx: Tx) -> int:
    """Return up to which line the newest signed head goes, 0 for none."""
    return int(tx.conn.execute(select(func.max(audit_heads.c.seq))).scalar() or 0)


def add_head(tx: Tx, seq: int, digest: str, envelope: dsse.Envelope) -> None:
    """Keep a signed head; the oldest give way."""
    values = {"seq": seq, "hash": digest, "at": tx.now, "envelope": dsse.encode(envelope).decode()}
    # The same line is signed again after a change of the coordinator's key.
    tx.conn.execute(delete(audit_heads).where(audit_heads.c.seq == seq))
    tx.conn.execute(insert(audit_heads).values(values))
    query = select(audit_heads.c.seq).order_by(desc(audit_heads.c.seq)).offset(KEEP_HEADS).limit(1)
    oldest = tx.conn.execute(query).scalar()
    if oldest is not None:
        tx.conn.execute(delete(audit_heads).where(audit_heads.c.seq <= oldest))


def tombstones(tx: Tx) -> tuple[dsse.Envelope, ...]:
    """Return the prune statements, oldest first."""
    query = select(audit_tombstones.c.envelope).order_by(audit_tombstones.c.seq)
    return tuple(dsse.decode(text.encode()) for text in tx.conn.execute(query).scalars())


def add_tombstone(tx: Tx, seq: int, digest: str, envelope: dsse.Envelope) -> None:
    """Keep a prune statement."""
    values = {"seq": seq, "hash": digest, "at": tx.now, "envelope": dsse.encode(envelope).decode()}
    tx.conn.execute(insert(audit_tombstones).values(values))


def older_than(tx: Tx, before: float) -> tuple[int, int]:
    """Return the last line of the log's beginning that is older throughout, and how many these are.

    Clocks jump: what is older but stands behind something newer stays, or the chain had a hole.
    """
    newer = select(func.min(_EVENTS.seq)).where(_EVENTS.at >= before)
    first_kept: int | None = tx.conn.execute(newer).scalar()
    older = select(func.max(_EVENTS.seq), func.count())
    if first_kept is not None:
        older = older.where(_EVENTS.seq < first_kept)
    last, count = tx.conn.execute(older).one()
    return int(last or 0), int(count)


def delete_through(tx: Tx, seq: int) -> None:
    """Remove the lines up to and with a sequence."""
    tx.conn.execute(delete(schema.events).where(_EVENTS.seq <= seq))


def _decoded(text: str | None) -> dsse.Envelope | None:
    return dsse.decode(text.encode()) if text is not None else None
