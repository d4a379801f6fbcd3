"""The tables of secrets: sealed versions, keys wrapped for recipients, who was given what.

They belong to `store.secrets`. What a secret is called and who may have it is its record.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, String, Table, Text

from coordinator.store.schema import metadata

# Never forgotten, so that a name that is used again goes on counting: hosts take nothing older.
secret_names = Table(
    "secret_names",
    metadata,
    Column("scope", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("last_version", Integer, nullable=False),
    # The days before its end that were warned of last; 0: it is over, and that was said.
    Column("warned", Integer),
)

secret_versions = Table(
    "secret_versions",
    metadata,
    Column("scope", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("envelope", Text, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

secret_wraps = Table(
    "secret_wraps",
    metadata,
    Column("scope", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("recipient", String, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

# The newest version that was sent to a host to be applied.
secret_deliveries = Table(
    "secret_deliveries",
    metadata,
    Column("scope", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("node_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Index("secret_deliveries_node", "node_id"),
)
