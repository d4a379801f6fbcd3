"""The roster chain as the coordinator carries it; whether a version may follow is the domain's."""

from __future__ import annotations

import msgspec
from sqlalchemy import desc, insert, select

from coordinator.store import schema
from coordinator.store.database import Tx
from protocol import dsse
from protocol.limits import MAX_ROSTER_CHAIN


class StoredRoster(msgspec.Struct, frozen=True):
    """One version with the digest of its exact bytes."""

    version: int
    digest: str
    envelope: dsse.Envelope


def append(tx: Tx, stored: StoredRoster) -> None:
    """Store the next version and wake the topic `roster`.

    Raises:
        IntegrityError: the version is there already.
    """
    tx.conn.execute(
        insert(schema.rosters).values(
            version=stored.version,
            digest=stored.digest,
            envelope=dsse.encode(stored.envelope).decode(),
            at=tx.now,
        )
    )
    tx.wake("roster")


def current(tx: Tx) -> StoredRoster | None:
    """Return the newest version, or None before there is any."""
    query = select(schema.rosters).order_by(desc(schema.rosters.c.version)).limit(1)
    row = tx.conn.execute(query).first()
    if row is None:
        return None
    return StoredRoster(row.version, row.digest, dsse.decode(row.envelope.encode()))


def after(tx: Tx, version: int) -> tuple[dsse.Envelope, ...]:
    """Return the versions after one, oldest first, as many as one message may carry."""
    table = schema.rosters
    query = (
        select(table.c.envelope)
        .where(table.c.version > version)
        .order_by(table.c.version)
        .limit(MAX_ROSTER_CHAIN)
    )
    return tuple(dsse.decode(row.envelope.encode()) for row in tx.conn.execute(query))
