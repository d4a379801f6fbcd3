"""The tables of identity: who holds a host's key. Each belongs to the store module of its name."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, LargeBinary, String, Table

from coordinator.store.schema import metadata

# One row per host that was ever welcomed: `protocol.ratchet.Line` in MessagePack.
ratchets = Table(
    "ratchets",
    metadata,
    Column("node_id", String, primary_key=True),
    Column("line", LargeBinary, nullable=False),
    # What is looked for without reading the line: several hold the key and nobody has chosen.
    Column("diverged", Boolean, nullable=False),
)
