"""Log-in sessions: bearer tokens, kept as hashes only; listed and ended by a public id."""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import Row, delete, insert, select, update

from coordinator.store import schema
from coordinator.store.database import Tx

# Where a session began is shown to people: an address, or a name of a socket.
MAX_SOURCE = 64


class Session(msgspec.Struct, frozen=True):
    """One session: whose it is, where it began, and the second at which it ends."""

    session_id: str
    operator_id: str
    source: str
    created_at: float
    expires_at: float
    last_used_at: float


def create(tx: Tx, operator_id: str, token: str, expires_at: float, source: str = "") -> str:
    """Store a session under its token's hash, drop those that are over, return its public id."""
    table = schema.sessions
    tx.conn.execute(delete(table).where(table.c.expires_at <= tx.now))
    session_id = tx.ulid()
    tx.conn.execute(
        insert(table).values(
            token_hash=_hash(token),
            session_id=session_id,
            operator_id=operator_id,
            source=source[:MAX_SOURCE],
            created_at=tx.now,
            expires_at=expires_at,
            last_used_at=tx.now,
        )
    )
    return session_id


def find(tx: Tx, token: str) -> Session | None:
    """Return the session of a token that is not over yet, or None."""
    table = schema.sessions
    row = tx.conn.execute(
        select(table).where(table.c.token_hash == _hash(token), table.c.expires_at > tx.now)
    ).first()
    return _session(row) if row is not None else None


def listing(tx: Tx, operator_id: str | None = None) -> tuple[Session, ...]:
    """Return the sessions that are not over, of one operator or of all, oldest first."""
    table = schema.sessions
    query = select(table).where(table.c.expires_at > tx.now)
    if operator_id is not None:
        query = query.where(table.c.operator_id == operator_id)
    rows = tx.conn.execute(query.order_by(table.c.created_at, table.c.session_id))
    return tuple(map(_session, rows))


def used(tx: Tx, token: str) -> None:
    """Write down that a session was used now."""
    table = schema.sessions
    tx.conn.execute(
        update(table).where(table.c.token_hash == _hash(token)).values(last_used_at=tx.now)
    )


def end(tx: Tx, token: str) -> None:
    """End one session by its token."""
    tx.conn.execute(delete(schema.sessions).where(schema.sessions.c.token_hash == _hash(token)))


def end_by_id(tx: Tx, session_id: str, operator_id: str | None) -> Session | None:
    """End one session by its public id and return it; with an operator only if it is theirs."""
    table = schema.sessions
    query = select(table).where(table.c.session_id == session_id, table.c.expires_at > tx.now)
    if operator_id is not None:
        query = query.where(table.c.operator_id == operator_id)
    row = tx.conn.execute(query).first()
    if row is None:
        return None
    tx.conn.execute(delete(table).where(table.c.session_id == session_id))
    return _session(row)


def end_all_of(tx: Tx, operator_id: str) -> int:
    """End every session of an operator and return how many there were."""
    query = delete(schema.sessions).where(schema.sessions.c.operator_id == operator_id)
    return tx.conn.execute(query).rowcount


def _session(row: Row[*tuple[object, ...]]) -> Session:
    return Session(
        session_id=row.session_id,
        operator_id=row.operator_id,
        source=row.source,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _hash(token: str) -> str:
    # A token has 256 random bits: a plain hash is enough, as for enrolment secrets.
    return hashlib.sha256(b"standfast/session/v1\x00" + token.encode()).hexdigest()
