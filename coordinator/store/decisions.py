"""Decisions as they were taken in: each id once."""

from __future__ import annotations

import msgspec
from sqlalchemy import insert, select

from coordinator.store import schema
from coordinator.store.database import Tx
from protocol import dsse
from protocol.decisions import Verdict


class StoredDecision(msgspec.Struct, frozen=True):
    """One decision with the operators whose signatures held; times are epoch seconds."""

    decision_id: str
    run_id: str
    verdict: Verdict
    action_hash: str
    expires_at: int
    envelope: dsse.Envelope
    submitted_by: str
    signers: tuple[str, ...]
    at: float


def add(tx: Tx, decision: StoredDecision) -> None:
    """Store a decision.

    Raises:
        IntegrityError: its id is taken; `get` it in the same transaction first.
    """
    values = msgspec.structs.asdict(decision)
    values["envelope"] = dsse.encode(decision.envelope).decode()
    values["signers"] = msgspec.json.encode(decision.signers).decode()
    tx.conn.execute(insert(schema.decisions).values(**values))


def get(tx: Tx, decision_id: str) -> StoredDecision | None:
    """Return one decision, or None."""
    table = schema.decisions
    row = tx.conn.execute(select(table).where(table.c.decision_id == decision_id)).first()
    if row is None:
        return None
    return StoredDecision(
        decision_id=row.decision_id,
        run_id=row.run_id,
        verdict=row.verdict,
        action_hash=row.action_hash,
        expires_at=row.expires_at,
        envelope=dsse.decode(row.envelope.encode()),
        submitted_by=row.submitted_by,
        signers=msgspec.json.decode(row.signers, type=tuple[str, ...]),
        at=row.at,
    )
