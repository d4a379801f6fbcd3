"""Who holds each host's key, as `protocol.ratchet` keeps the account."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, insert, select, update

from coordinator.store.database import Tx
from coordinator.store.schema_identity import ratchets
from protocol.ratchet import Line


def get(tx: Tx, node_id: str) -> Line:
    """Return what is known of a host's key; nothing yet is an empty line."""
    row = tx.conn.execute(select(ratchets.c.line).where(ratchets.c.node_id == node_id)).first()
    return Line() if row is None else msgspec.msgpack.decode(row.line, type=Line)


def put(tx: Tx, node_id: str, line: Line) -> None:
    """Keep what is known of a host's key from now on."""
    values = {"line": msgspec.msgpack.encode(line), "diverged": line.diverged}
    changed = tx.conn.execute(
        update(ratchets).where(ratchets.c.node_id == node_id).values(**values)
    )
    if changed.rowcount == 0:
        tx.conn.execute(insert(ratchets).values(node_id=node_id, **values))


def diverged(tx: Tx) -> frozenset[str]:
    """Return the hosts whose key several hold while nobody has chosen."""
    query = select(ratchets.c.node_id).where(ratchets.c.diverged)
    return frozenset(row.node_id for row in tx.conn.execute(query))


def is_diverged(tx: Tx, node_id: str) -> bool:
    """Say whether several hold a host's key while nobody has chosen."""
    row = tx.conn.execute(select(ratchets.c.diverged).where(ratchets.c.node_id == node_id)).first()
    return row is not None and bool(row.diverged)


def forget(tx: Tx, node_id: str) -> None:
    """Forget a host's line: its next link begins another."""
    tx.conn.execute(delete(ratchets).where(ratchets.c.node_id == node_id))


def forget_all(tx: Tx) -> int:
    """Forget every line, as after this database was put back from a copy; return how many."""
    return tx.conn.execute(delete(ratchets)).rowcount
