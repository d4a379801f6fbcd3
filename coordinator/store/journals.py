"""The hosts' journals: each (node, sequence) is stored once, as a chain. Not their meaning."""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import bindparam, desc, insert, select
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
    table = schema.journal_entries
    value: bytes | None = tx.conn.execute(
        select(table.c.hash).where(table.c.node_id == node_id, table.c.seq == seq)
    ).scalar()
    return value


def append(tx: Tx, node_id: str, entry: journal.Entry) -> Head:
    """Store the next entry and return the new head; the caller has checked chain and signature.

    Raises:
        IntegrityError: this sequence is stored already.
    """
    new = Head(entry.seq, journal.hash_of(entry))
    tx.conn.execute(
        _INSERT,
        {
            "node_id": node_id,
            "seq": entry.seq,
            "prev": entry.prev,
            "hash": new.hash,
            "at": entry.at,
            "received_at": tx.now,
            "kind": entry.kind,
            "body": None if entry.kind == "artifact" else entry.body,
            "body_digest": hashlib.sha256(entry.body).digest(),
            "sig": entry.sig,
        },
    )
    tx.conn.execute(_MOVE_HEAD, {"node_id": node_id, "seq": new.seq, "hash": new.hash})
    return new


def latest(
    tx: Tx, node_id: str, kinds: tuple[journal.EntryKind, ...], limit: int
) -> tuple[journal.Entry, ...]:
    """Return the last entries of some kinds (not `artifact`), newest first."""
    table = schema.journal_entries
    rows = tx.conn.execute(
        select(table)
        .where(table.c.node_id == node_id, table.c.kind.in_(kinds), table.c.body.is_not(None))
        .order_by(desc(table.c.seq))
        .limit(limit)
    )
    return tuple(
        journal.Entry(row.seq, row.prev, row.at, row.kind, row.body, row.sig) for row in rows
    )
