"""What the operators say about each host, as they signed it: the newest version alone."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, insert, select

from coordinator.store.database import Tx
from coordinator.store.schema_approvals import node_statements
from protocol import dsse


class StoredStatement(msgspec.Struct, frozen=True):
    """One statement; whether it holds was judged when it was stored."""

    node_id: str
    version: int
    envelope: dsse.Envelope
    by: str
    at: float


def put(tx: Tx, statement: StoredStatement) -> None:
    """Store a statement in place of the one before, and wake the host's link."""
    forget(tx, statement.node_id)
    values = msgspec.structs.asdict(statement)
    values["envelope"] = dsse.encode(statement.envelope).decode()
    tx.conn.execute(insert(node_statements).values(**values))
    tx.wake(f"node:{statement.node_id}")


def get(tx: Tx, node_id: str) -> StoredStatement | None:
    """Return the statement about a host, or None."""
    table = node_statements
    row = tx.conn.execute(select(table).where(table.c.node_id == node_id)).first()
    if row is None:
        return None
    envelope = dsse.decode(row.envelope.encode())
    return StoredStatement(row.node_id, row.version, envelope, row.by, row.at)


def forget(tx: Tx, node_id: str) -> None:
    """Remove the statement about a host, if there is one."""
    tx.conn.execute(delete(node_statements).where(node_statements.c.node_id == node_id))
