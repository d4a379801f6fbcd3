"""The tables. Migration scripts build them; a test compares the two.

Times are seconds since the epoch as floats. JSON is text, made by msgspec. Names are plain: a table
belongs to the store module of the same name.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

# One row per number that only rises, such as the resource version.
counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
)

records = Table(
    "records",
    metadata,
    Column("uid", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("name", String),
    # Two live records of one kind and scope never differ only in case or in look-alike widths.
    Column("folded", String),
    Column("resource_version", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted_at", Float),
    Index(
        "records_name",
        "kind",
        "scope",
        "folded",
        unique=True,
        sqlite_where=text("deleted_at IS NULL AND folded IS NOT NULL"),
        postgresql_where=text("deleted_at IS NULL AND folded IS NOT NULL"),
    ),
    Index("records_kind", "kind", "scope", "created_at", "uid"),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("event_id", String, nullable=False, unique=True),
    Column("at", Float, nullable=False),
    Column("scope", String, nullable=False),
    Column("type", String, nullable=False),
    Column("severity", String, nullable=False),
    Column("actor", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("target_id", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("events_target", "target_id", "seq"),
    Index("events_type", "type", "seq"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("scope", String, nullable=False),
    Column("step", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("plan_run_id", String),
    # Frozen definition, what else was asked, reduced state; `run_events` give the state by replay.
    # MessagePack: the state of 1,000 steps is read in half a millisecond.
    Column("definition", LargeBinary, nullable=False),
    Column("details", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Index("runs_created", "created_at", "run_id"),
    Index("runs_phase", "phase"),
    Index("runs_plan", "plan_run_id"),
)

# What is looked for by node or by operation; the truth is the run's state.
run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", String, nullable=False),
    Column("node_id", String, nullable=False),
    Column("operation_id", String, nullable=False, unique=True),
    Column("step", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("created_at", Float, nullable=False),
    # False once neither the run nor the step will move any more.
    Column("live", Boolean, nullable=False),
    PrimaryKeyConstraint("run_id", "node_id"),
    ForeignKeyConstraint(["run_id"], ["runs.run_id"]),
    Index("run_steps_node", "node_id", "live"),
    Index("run_steps_node_step", "node_id", "step", "created_at", "operation_id"),
    Index("run_steps_step", "step", "created_at", "operation_id"),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", String, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("event", LargeBinary, nullable=False),
    PrimaryKeyConstraint("run_id", "seq"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", String, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("action_hash", String, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("submitted_by", String, nullable=False),
    Column("signers", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("decisions_run", "run_id"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("kind", String, nullable=False),
    # False: it came whole, but the quota was used up, so its bytes were not kept.
    Column("kept", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

artifact_refs = Table(
    "artifact_refs",
    metadata,
    Column("sha256", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("owner", String, nullable=False),
    PrimaryKeyConstraint("sha256", "scope", "owner"),
)

artifact_chunks = Table(
    "artifact_chunks",
    metadata,
    Column("node_id", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("offset", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("node_id", "sha256", "offset"),
)

journal_heads = Table(
    "journal_heads",
    metadata,
    Column("node_id", String, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

journal_entries = Table(
    "journal_entries",
    metadata,
    Column("node_id", String, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("kind", String, nullable=False),
    # Bodies of artifact entries are kept as artifacts; the digest is what the hash covers.
    Column("body", LargeBinary),
    Column("body_digest", LargeBinary, nullable=False),
    Column("sig", LargeBinary, nullable=False),
    PrimaryKeyConstraint("node_id", "seq"),
    Index("journal_entries_kind", "node_id", "kind", "seq"),
)

drift_records = Table(
    "drift_records",
    metadata,
    Column("drift_id", String, primary_key=True),
    Column("node_id", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("source", String, nullable=False),
    Column("status", String, nullable=False),
    Column("checked_at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("record", Text, nullable=False),
    Index("drift_node", "node_id", "checked_at", "drift_id"),
    Index("drift_received", "received_at"),
)

# What a machine is believed to hold: from the last apply result that brought a state with it.
machine_states = Table(
    "machine_states",
    metadata,
    Column("node_id", String, primary_key=True),
    Column("operation_id", String, nullable=False),
    Column("finished_at", Float, nullable=False),
    Column("state", Text, nullable=False),
)

# Rows that change with each heartbeat: apart from the records, so that no record version burns.
presence = Table(
    "presence",
    metadata,
    Column("node_id", String, primary_key=True),
    Column("connected", Boolean, nullable=False),
    Column("session", String, nullable=False),
    Column("connected_at", Float, nullable=False),
    Column("last_seen_at", Float, nullable=False),
    Column("peer", String, nullable=False),
    Column("hostname", String, nullable=False),
    Column("agent_version", String, nullable=False),
    Column("roster_version", Integer, nullable=False),
    Column("drift", String),
    Column("problems", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("details", Text, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String, primary_key=True),
    # What a person sees and names; the token itself is nowhere.
    Column("session_id", String, nullable=False, unique=True),
    Column("operator_id", String, nullable=False),
    Column("source", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("last_used_at", Float, nullable=False),
    Index("sessions_operator", "operator_id"),
)

challenges = Table(
    "challenges",
    metadata,
    Column("challenge_id", String, primary_key=True),
    Column("public_key", String, nullable=False),
    Column("nonce", String, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("challenges_key", "public_key", "expires_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("operator_id", String, nullable=False),
    Column("key", String, nullable=False),
    Column("request", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
    PrimaryKeyConstraint("operator_id", "key"),
)

rosters = Table(
    "rosters",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("at", Float, nullable=False),
)

module_versions = Table(
    "module_versions",
    metadata,
    Column("scope", String, nullable=False),
    Column("name", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("envelope", Text),
    Column("uploaded_at", Float, nullable=False),
    Column("uploaded_by", String, nullable=False),
    PrimaryKeyConstraint("scope", "name", "sha256"),
)

# Small facts about the installation itself, such as its coordinator's key.
settings = Table(
    "settings",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)
