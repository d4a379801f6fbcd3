"""Decisions that were taken back, kept until they would have ended by themselves."""

from __future__ import annotations

import msgspec
from sqlalchemy import Row, insert, select

from coordinator.store.database import Tx
from coordinator.store.schema_approvals import revocations
from protocol import dsse

# Revocations that one message to a host carries.
MAX_TOLD = 500


class StoredRevocation(msgspec.Struct, frozen=True):
    """One revocation; `until` is when the decision ends by itself, times are epoch seconds."""

    decision_id: str
    envelope: dsse.Envelope
    by: str
    at: float
    until: float


def add(tx: Tx, revocation: StoredRevocation) -> None:
    """Store a revocation and wake the topic `roster`, so that every link tells its host.

    Raises:
        IntegrityError: the decision was taken back already; `get` it first.
    """
    values = msgspec.structs.asdict(revocation)
    values["envelope"] = dsse.encode(revocation.envelope).decode()
    tx.conn.execute(insert(revocations).values(**values))
    tx.wake("roster")


def get(tx: Tx, decision_id: str) -> StoredRevocation | None:
    """Return the revocation of a decision, or None."""
    query = select(revocations).where(revocations.c.decision_id == decision_id)
    row = tx.conn.execute(query).first()
    return _revocation(row) if row is not None else None


def in_force(tx: Tx) -> tuple[StoredRevocation, ...]:
    """Return the revocations of decisions that could still be used, newest last."""
    table = revocations
    query = select(table).where(table.c.until > tx.now).order_by(table.c.at.desc()).limit(MAX_TOLD)
    return tuple(reversed([_revocation(row) for row in tx.conn.execute(query)]))


def _revocation(row: Row[*tuple[object, ...]]) -> StoredRevocation:
    return StoredRevocation(
        row.decision_id, dsse.decode(row.envelope.encode()), row.by, row.at, row.until
    )
