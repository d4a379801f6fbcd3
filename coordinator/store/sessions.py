"""Log-in sessions: bearer tokens, kept as hashes only."""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import delete, insert, select

from coordinator.store import schema
from coordinator.store.database import Tx


class Session(msgspec.Struct, frozen=True):
    """One session: whose it is, and the second at which it ends."""

    operator_id: str
    created_at: float
    expires_at: float


def create(tx: Tx, operator_id: str, token: str, expires_at: float) -> None:
    """Store a session under its token's hash, and drop the sessions that are over."""
    table = schema.sessions
    tx.conn.execute(delete(table).where(table.c.expires_at <= tx.now))
    tx.conn.execute(
        insert(table).values(
            token_hash=_hash(token),
            operator_id=operator_id,
            created_at=tx.now,
            expires_at=expires_at,
        )
    )


def find(tx: Tx, token: str) -> Session | None:
    """Return the session of a token that is not over yet, or None."""
    table = schema.sessions
    row = tx.conn.execute(
        select(table).where(table.c.token_hash == _hash(token), table.c.expires_at > tx.now)
    ).first()
    return Session(row.operator_id, row.created_at, row.expires_at) if row is not None else None


def end(tx: Tx, token: str) -> None:
    """End one session."""
    tx.conn.execute(delete(schema.sessions).where(schema.sessions.c.token_hash == _hash(token)))


def end_all_of(tx: Tx, operator_id: str) -> None:
    """End every session of an operator."""
    tx.conn.execute(delete(schema.sessions).where(schema.sessions.c.operator_id == operator_id))


def _hash(token: str) -> str:
    # A token has 256 random bits: a plain hash is enough, as for enrolment secrets.
    return hashlib.sha256(b"standfast/session/v1\x00" + token.encode()).hexdigest()
