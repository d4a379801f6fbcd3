"""Decisions as they were taken in: each id once."""

from __future__ import annotations

import msgspec
from sqlalchemy import Row, desc, insert, select, update

from coordinator.store import schema, schema_approvals
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


def put_signatures(
    tx: Tx, decision_id: str, envelope: dsse.Envelope, signers: tuple[str, ...]
) -> None:
    """Replace a decision's envelope by one with more signatures over the same payload."""
    table = schema.decisions
    tx.conn.execute(
        update(table)
        .where(table.c.decision_id == decision_id)
        .values(
            envelope=dsse.encode(envelope).decode(), signers=msgspec.json.encode(signers).decode()
        )
    )


def get(tx: Tx, decision_id: str) -> StoredDecision | None:
    """Return one decision, or None."""
    table = schema.decisions
    row = tx.conn.execute(select(table).where(table.c.decision_id == decision_id)).first()
    return _decision(row) if row is not None else None


def collecting(tx: Tx, run_id: str) -> StoredDecision | None:
    """Return the newest yes to a run that has neither ended by time nor was taken back, or None."""
    table, taken_back = schema.decisions, schema_approvals.revocations.c.decision_id
    query = (
        select(table)
        .where(
            table.c.run_id == run_id,
            table.c.verdict == "approve",
            table.c.expires_at > tx.now,
            table.c.decision_id.not_in(select(taken_back)),
        )
        .order_by(desc(table.c.at), desc(table.c.decision_id))
        .limit(1)
    )
    row = tx.conn.execute(query).first()
    return _decision(row) if row is not None else None


def _decision(row: Row[*tuple[object, ...]]) -> StoredDecision:
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
