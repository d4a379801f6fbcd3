"""The hosts' journals: each (node, sequence) is stored once, as a chain. Not their meaning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from sqlalchemy import and_, bindparam, delete, desc, func, insert, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from coordinator.store import schema
from coordinator.store.database import Tx
from protocol import journal

# Built once: building a statement costs twice what running it does, and these run per entry.
_HEAD = select(schema.journal_heads).where(schema.journal_heads.c.node_id == bindparam("node"))
_INSERT = insert(schema.journal_entries)
_UPSERT = upsert(schema.journal_heads)
_MOVE_HEAD = _UPSERT.on_conflict_do_update(
    index_elements=["node_id"],
    set_={"seq": _UPSERT.excluded.seq, "hash": _UPSERT.excluded.hash},
)
_HASH = select(schema.journal_entries.c.hash).where(
    schema.journal_entries.c.node_id == bindparam("node"),
    schema.journal_entries.c.seq == bindparam("seq"),
)
_LATEST = (
    select(schema.journal_entries)
    .where(
        schema.journal_entries.c.node_id == bindparam("node"),
        schema.journal_entries.c.kind.in_(bindparam("kinds", expanding=True)),
        schema.journal_entries.c.body.is_not(None),
    )
    .order_by(desc(schema.journal_entries.c.seq))
    .limit(bindparam("most"))
)


class Keep(msgspec.Struct, frozen=True):
    """How much of one host's journal is kept, in entries and in bytes of their bodies.

    That is looked at once in so many entries (`every`): 256 of 512 KiB may be there beside it.
    """

    entries: int = 20_000
    size: int = 33_554_432
    every: int = 256


_KEEP = Keep()


class Head(msgspec.Struct, frozen=True):
    """The last stored entry of a journal: its sequence (0 for none) and hash."""

    seq: int
    hash: bytes


def head(tx: Tx, node_id: str) -> Head:
    """Return where a node's stored journal ends."""
    row = tx.conn.execute(_HEAD, {"node": node_id}).first()
    return Head(row.seq, row.hash) if row is not None else Head(0, journal.GENESIS)


def hash_at(tx: Tx, node_id: str, seq: int) -> bytes | None:
    """Return the hash of a stored entry, or None."""
    value: bytes | None = tx.conn.execute(_HASH, {"node": node_id, "seq": seq}).scalar()
    return value


def held(tx: Tx, node_id: str) -> tuple[int, int]:
    """Return how many entries of a host are stored, and the bytes of their bodies."""
    table = schema.journal_entries
    query = select(func.count(), func.sum(func.length(table.c.body)))
    count, size = tx.conn.execute(query.where(table.c.node_id == node_id)).one()
    return int(count), int(size or 0)


def forget(tx: Tx, node_id: str) -> None:
    """Remove all of a host's journal, when its record is deleted."""
    for table in (schema.journal_entries, schema.journal_heads):
        tx.conn.execute(delete(table).where(table.c.node_id == node_id))


def reopen(tx: Tx, node_id: str) -> None:
    """Forget where a host's journal ends, because another has written to it; entries stay.

    The next one to be stored says where it goes on: what is stored from there on gives way.
    """
    heads = schema.journal_heads
    tx.conn.execute(delete(heads).where(heads.c.node_id == node_id))


def is_open(tx: Tx, node_id: str) -> bool:
    """Say whether a journal was reopened and nothing was stored in it since."""
    if head(tx, node_id).seq:
        return False
    table = schema.journal_entries
    query = select(table.c.seq).where(table.c.node_id == node_id).limit(1)
    return tx.conn.execute(query).first() is not None


def cut(tx: Tx, node_id: str, seq: int) -> None:
    """Remove the entries from a sequence on, which another has written."""
    table = schema.journal_entries
    tx.conn.execute(delete(table).where(table.c.node_id == node_id, table.c.seq >= seq))


def append(tx: Tx, node_id: str, entries: Sequence[journal.Entry], *, keep: Keep = _KEEP) -> Head:
    """Store the next entries, return the new head; the caller has checked chain and signatures.

    The oldest entries give way once a host has more than is to be kept.

    Raises:
        IntegrityError: a sequence is stored already.
        ValueError: there is no entry.
    """
    if not entries:
        raise ValueError("no entries to store")
    tx.conn.execute(_INSERT, [_row(tx, node_id, entry) for entry in entries])
    new = Head(entries[-1].seq, journal.hash_of(entries[-1]))
    tx.conn.execute(_MOVE_HEAD, {"node_id": node_id, "seq": new.seq, "hash": new.hash})
    if any(entry.seq % keep.every == 0 for entry in entries):
        _prune(tx, node_id, keep)
    return new


def _row(tx: Tx, node_id: str, entry: journal.Entry) -> dict[str, str | int | float | bytes | None]:
    return {
        "node_id": node_id,
        "seq": entry.seq,
        "prev": entry.prev,
        "hash": journal.hash_of(entry),
        "at": entry.at,
        "received_at": tx.now,
        "kind": entry.kind,
        "body": None if entry.kind == "artifact" else entry.body,
        "body_digest": hashlib.sha256(entry.body).digest(),
        "sig": entry.sig,
    }


def _prune(tx: Tx, node_id: str, keep: Keep) -> None:
    table = schema.journal_entries
    mine = table.c.node_id == node_id
    query = select(table.c.seq, func.length(table.c.body)).where(mine).order_by(desc(table.c.seq))
    size = 0
    for number, (seq, length) in enumerate(tx.conn.execute(query)):
        size += length or 0
        if number >= keep.entries or size > keep.size:
            tx.conn.execute(delete(table).where(mine, table.c.seq <= seq))
            return


def latest(
    tx: Tx, node_id: str, kinds: tuple[journal.EntryKind, ...], limit: int
) -> tuple[journal.Entry, ...]:
    """Return the last entries of some kinds (not `artifact`), newest first."""
    rows = tx.conn.execute(_LATEST, {"node": node_id, "kinds": kinds, "most": limit})
    return tuple(
        journal.Entry(row.seq, row.prev, row.at, row.kind, row.body, row.sig) for row in rows
    )


class StoredEntry(msgspec.Struct, frozen=True):
    """One entry as it is stored, for whoever checks the chain; the body may be kept elsewhere."""

    node_id: str
    seq: int
    prev: bytes
    at: float
    kind: str
    body: bytes | None
    body_digest: bytes
    sig: bytes


def page(tx: Tx, node_id: str, after: int, limit: int) -> tuple[StoredEntry, ...]:
    """Return entries of all hosts by host and sequence, after one of a host."""
    table = schema.journal_entries
    beyond = and_(table.c.node_id == node_id, table.c.seq > after)
    query = select(table).where(or_(table.c.node_id > node_id, beyond))
    rows = tx.conn.execute(query.order_by(table.c.node_id, table.c.seq).limit(limit))
    return tuple(
        StoredEntry(
            row.node_id, row.seq, row.prev, row.at, row.kind, row.body, row.body_digest, row.sig
        )
        for row in rows
    )
