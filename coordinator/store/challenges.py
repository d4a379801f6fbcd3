"""Log-in challenges: each is answered at most once, and not after its time."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, desc, func, insert, select, update

from coordinator.store import schema
from coordinator.store.database import Tx

# The key of a challenge that was answered: its row stays to the end of its time, so that it can
# neither be answered nor made again.
_USED = ""


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


def state(tx: Tx, challenge_id: str) -> str | None:
    """Say whether a challenge is `open` or `used`; None if there is none of this id."""
    table = schema.challenges
    key = tx.conn.execute(
        select(table.c.public_key).where(table.c.challenge_id == challenge_id)
    ).scalar()
    if key is None:
        return None
    return "used" if key == _USED else "open"


def waiting(tx: Tx, public_key: str | None = None) -> int:
    """Return how many challenges wait for an answer, for one key or in all."""
    table = schema.challenges
    query = select(func.count()).select_from(table)
    query = query.where(table.c.expires_at > tx.now, table.c.public_key != _USED)
    if public_key is not None:
        query = query.where(table.c.public_key == public_key)
    return int(tx.conn.execute(query).scalar_one())


def open_for(
    tx: Tx, public_key: str, challenge_id: str | None, limit: int
) -> tuple[Challenge, ...]:
    """Return the challenges of a key that wait for an answer, newest first; by id at most one."""
    table = schema.challenges
    query = select(table).where(table.c.public_key == public_key, table.c.expires_at > tx.now)
    if challenge_id is not None:
        query = query.where(table.c.challenge_id == challenge_id)
    order = (desc(table.c.expires_at), desc(table.c.challenge_id))
    rows = tx.conn.execute(query.order_by(*order).limit(limit))
    return tuple(
        Challenge(row.challenge_id, row.public_key, row.nonce, row.expires_at) for row in rows
    )


def use_up(tx: Tx, challenge_id: str) -> None:
    """Let nobody answer a challenge again."""
    table = schema.challenges
    query = update(table).where(table.c.challenge_id == challenge_id)
    tx.conn.execute(query.values(public_key=_USED))
