"""The tables of access and audit: API tokens, signed heads of the event log, what was pruned.

Each belongs to the store module of its name.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from coordinator.store.schema import metadata

# A live token's name is its own; a revoked one is no row any more.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("name", String, primary_key=True),
    Column("token_hash", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("capabilities", Text, nullable=False),
    Column("scope", String, nullable=False),
    Column("operator_id", String, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("last_used_at", Float),
    Index("api_tokens_operator", "operator_id"),
)

# What the coordinator signed about the log: the last sequence and its hash, at a time.
audit_heads = Table(
    "audit_heads",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("hash", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("envelope", Text, nullable=False),
)

# What was removed from the beginning of the log: up to `seq`, said with a signature.
audit_tombstones = Table(
    "audit_tombstones",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("hash", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("envelope", Text, nullable=False),
)
