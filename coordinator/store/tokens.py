"""Named API tokens: kept as hashes only, each name once; a revoked token is no row any more."""

from __future__ import annotations

import hashlib

import msgspec
from sqlalchemy import Row, delete, func, insert, select, update

from coordinator.store.database import Tx
from coordinator.store.schema_access import api_tokens
from protocol.api_tokens import TokenCapability
from protocol.roster import Role


class StoredToken(msgspec.Struct, frozen=True):
    """One token, without its secret; `operator_id` is who made it and answers for it."""

    name: str
    role: Role
    capabilities: tuple[TokenCapability, ...]
    scope: str
    operator_id: str
    created_by: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None = None


def create(tx: Tx, token: str, made: StoredToken) -> bool:
    """Store a token under its hash; False if the name is taken."""
    values = msgspec.structs.asdict(made)
    values["capabilities"] = msgspec.json.encode(made.capabilities).decode()
    taken = select(api_tokens.c.name).where(api_tokens.c.name == made.name)
    if tx.conn.execute(taken).first() is not None:
        return False
    tx.conn.execute(insert(api_tokens).values(**values, token_hash=_hash(token)))
    return True


def count(tx: Tx) -> int:
    """Return how many tokens there are."""
    return int(tx.conn.execute(select(func.count()).select_from(api_tokens)).scalar_one())


def find(tx: Tx, token: str) -> StoredToken | None:
    """Return a token that has not ended, by the secret, or None."""
    row = tx.conn.execute(select(api_tokens).where(api_tokens.c.token_hash == _hash(token))).first()
    found = _token(row) if row is not None else None
    if found is None or (found.expires_at is not None and found.expires_at <= tx.now):
        return None
    return found


def listing(tx: Tx) -> tuple[StoredToken, ...]:
    """Return all tokens, ended ones too, by name."""
    return tuple(map(_token, tx.conn.execute(select(api_tokens).order_by(api_tokens.c.name))))


def used(tx: Tx, token: str) -> None:
    """Write down that a token was used now."""
    query = update(api_tokens).where(api_tokens.c.token_hash == _hash(token))
    tx.conn.execute(query.values(last_used_at=tx.now))


def remove(tx: Tx, name: str) -> StoredToken | None:
    """Remove a token and return what it was, or None."""
    row = tx.conn.execute(select(api_tokens).where(api_tokens.c.name == name)).first()
    if row is None:
        return None
    tx.conn.execute(delete(api_tokens).where(api_tokens.c.name == name))
    return _token(row)


def of_operator(tx: Tx, operator_id: str) -> tuple[str, ...]:
    """Return the names of the tokens that an operator made."""
    query = select(api_tokens.c.name).where(api_tokens.c.operator_id == operator_id)
    return tuple(tx.conn.execute(query.order_by(api_tokens.c.name)).scalars())


def _token(row: Row[*tuple[object, ...]]) -> StoredToken:
    return StoredToken(
        name=row.name,
        role=row.role,
        capabilities=msgspec.json.decode(row.capabilities, type=tuple[TokenCapability, ...]),
        scope=row.scope,
        operator_id=row.operator_id,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _hash(token: str) -> str:
    # A token has 256 random bits: a plain hash is enough.
    return hashlib.sha256(b"standfast/api-token/v1\x00" + token.encode()).hexdigest()
