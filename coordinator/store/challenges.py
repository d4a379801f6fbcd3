"""Log-in challenges: each is answered at most once, and not after its time."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, desc, func, insert, select

from coordinator.store import schema
from coordinator.store.database import Tx


class Challenge(msgspec.Struct, frozen=True):
    """One challenge to a public key (hex); `expires_at` in epoch seconds."""

    challenge_id: str
    public_key: str
    nonce: str
    expires_at: float


def create(tx: Tx, challenge: Challenge) -> None:
    """Store a challenge, and drop those that are over."""
    table = schema.challenges
    tx.conn.execute(delete(table).where(table.c.expires_at <= tx.now))
    tx.conn.execute(insert(table).values(**msgspec.structs.asdict(challenge)))


def waiting(tx: Tx, public_key: str | None = None) -> int:
    """Return how many challenges wait for an answer, for one key or in all."""
    table = schema.challenges
    query = select(func.count()).select_from(table).where(table.c.expires_at > tx.now)
    if public_key is not None:
        query = query.where(table.c.public_key == public_key)
    return int(tx.conn.execute(query).scalar_one())


def take(tx: Tx, public_key: str, challenge_id: str | None) -> Challenge | None:
    """Use up a challenge of this key (without an id: its latest) and return it, or None.

    A second call for the same challenge gives None.
    """
    table = schema.challenges
    query = select(table).where(table.c.public_key == public_key, table.c.expires_at > tx.now)
    if challenge_id is not None:
        query = query.where(table.c.challenge_id == challenge_id)
    order = (desc(table.c.expires_at), desc(table.c.challenge_id))
    row = tx.conn.execute(query.order_by(*order).limit(1)).first()
    if row is None:
        return None
    tx.conn.execute(delete(table).where(table.c.challenge_id == row.challenge_id))
    return Challenge(row.challenge_id, row.public_key, row.nonce, row.expires_at)
