"""Proposed rosters on their way to enough signatures, by the digest of their exact bytes."""

from __future__ import annotations

from typing import Literal

import msgspec
from sqlalchemy import Row, desc, insert, select, update

from coordinator.store.database import Tx
from coordinator.store.schema_approvals import roster_proposals
from protocol import dsse

Status = Literal["open", "accepted", "void"]
# Proposals that are shown: those of the last weeks, of people.
MAX_SHOWN = 100


class StoredProposal(msgspec.Struct, frozen=True):
    """One proposal; times are epoch seconds."""

    digest: str
    version: int
    envelope: dsse.Envelope
    status: Status
    proposed_by: str
    created_at: float
    expires_at: float


def add(tx: Tx, proposal: StoredProposal) -> None:
    """Store a proposal.

    Raises:
        IntegrityError: there is one with this digest; `get` it in the same transaction first.
    """
    values = msgspec.structs.asdict(proposal)
    values["envelope"] = dsse.encode(proposal.envelope).decode()
    tx.conn.execute(insert(roster_proposals).values(**values))


def get(tx: Tx, digest: str) -> StoredProposal | None:
    """Return one proposal, or None."""
    query = select(roster_proposals).where(roster_proposals.c.digest == digest)
    row = tx.conn.execute(query).first()
    return _proposal(row) if row is not None else None


def listing(tx: Tx, status: Status | None = None) -> tuple[StoredProposal, ...]:
    """Return the latest proposals, newest first."""
    table = roster_proposals
    query = select(table).order_by(desc(table.c.created_at), table.c.digest).limit(MAX_SHOWN)
    if status is not None:
        query = query.where(table.c.status == status)
    return tuple(_proposal(row) for row in tx.conn.execute(query))


def put(tx: Tx, digest: str, *, envelope: dsse.Envelope | None, status: Status) -> None:
    """Change where a proposal stands, and its envelope if there is a new one."""
    values: dict[str, str] = {"status": status}
    if envelope is not None:
        values["envelope"] = dsse.encode(envelope).decode()
    query = update(roster_proposals).where(roster_proposals.c.digest == digest)
    tx.conn.execute(query.values(**values))


def void_older(tx: Tx, version: int, kept: str) -> int:
    """End the open proposals for this version or an older one, but one; return how many."""
    table = roster_proposals
    done = tx.conn.execute(
        update(table)
        .where(table.c.status == "open", table.c.version <= version, table.c.digest != kept)
        .values(status="void")
    )
    return done.rowcount


def _proposal(row: Row[*tuple[object, ...]]) -> StoredProposal:
    return StoredProposal(
        digest=row.digest,
        version=row.version,
        envelope=dsse.decode(row.envelope.encode()),
        status=row.status,
        proposed_by=row.proposed_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
