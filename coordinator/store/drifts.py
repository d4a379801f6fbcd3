"""Drift records as the hosts sent them, and what each machine is believed to hold."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, desc, select
from sqlalchemy.dialects.sqlite import insert

from coordinator.store import schema
from coordinator.store.database import Tx
from protocol.reports import DriftRecord, DriftStatus, MachineState

# Published: records are kept for 30 days.
KEEP_SECONDS = 30 * 86_400


def put(tx: Tx, scope: str, record: DriftRecord) -> bool:
    """Store a record once and say whether it was new; drop those over 30 days old."""
    table = schema.drift_records
    tx.conn.execute(delete(table).where(table.c.received_at < tx.now - KEEP_SECONDS))
    done = tx.conn.execute(
        insert(table)
        .values(
            drift_id=record.drift_id,
            node_id=record.node_id,
            scope=scope,
            source=record.source,
            status=record.status,
            checked_at=record.checked_at,
            received_at=tx.now,
            record=msgspec.json.encode(record).decode(),
        )
        .on_conflict_do_nothing()
    )
    return done.rowcount == 1


def listing(
    tx: Tx, node_id: str, *, limit: int, status: DriftStatus | None = None
) -> tuple[DriftRecord, ...]:
    """Return a node's records, newest first."""
    table = schema.drift_records
    query = select(table.c.record).where(table.c.node_id == node_id)
    if status is not None:
        query = query.where(table.c.status == status)
    query = query.order_by(desc(table.c.checked_at), desc(table.c.drift_id)).limit(limit)
    return tuple(_record(row.record) for row in tx.conn.execute(query))


def get(tx: Tx, drift_id: str) -> DriftRecord | None:
    """Return one record, or None."""
    table = schema.drift_records
    text = tx.conn.execute(select(table.c.record).where(table.c.drift_id == drift_id)).scalar()
    return _record(text) if text is not None else None


def _record(text: str) -> DriftRecord:
    return msgspec.json.decode(text, type=DriftRecord)


def put_state(
    tx: Tx, node_id: str, operation_id: str, finished_at: float, state: MachineState
) -> None:
    """Keep a machine's state, unless one of a later apply is kept already."""
    table = schema.machine_states
    values: dict[str, str | float] = {
        "operation_id": operation_id,
        "finished_at": finished_at,
        "state": msgspec.json.encode(state).decode(),
    }
    tx.conn.execute(
        insert(table)
        .values(node_id=node_id, **values)
        .on_conflict_do_update(
            index_elements=["node_id"],
            set_=values,
            where=table.c.finished_at <= finished_at,
        )
    )


def state(tx: Tx, node_id: str) -> MachineState | None:
    """Return what a machine is believed to hold, or None before its first apply."""
    table = schema.machine_states
    text = tx.conn.execute(select(table.c.state).where(table.c.node_id == node_id)).scalar()
    return msgspec.json.decode(text, type=MachineState) if text is not None else None
