"""The tables of what operators sign together: proposed rosters, statements, revocations.

Each belongs to the store module of its name.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from coordinator.store.schema import metadata

# The next version of the roster, on its way to enough signatures; `status` is open, accepted, void.
roster_proposals = Table(
    "roster_proposals",
    metadata,
    Column("digest", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("proposed_by", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("roster_proposals_status", "status", "created_at"),
)

# What the operators say about a host: the newest version.
node_statements = Table(
    "node_statements",
    metadata,
    Column("node_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Float, nullable=False),
)

# Decisions that were taken back; each is sent to the hosts until nothing could be done with it.
revocations = Table(
    "revocations",
    metadata,
    Column("decision_id", String, primary_key=True),
    Column("envelope", Text, nullable=False),
    Column("by", String, nullable=False),
    Column("at", Float, nullable=False),
    # After this time the decision has ended by itself.
    Column("until", Float, nullable=False),
    Index("revocations_until", "until"),
)
