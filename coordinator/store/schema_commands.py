"""The tables of commands: what was asked for, each host's part, and what it printed."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from coordinator.store.schema import metadata

# A command never changes; its run has the same id. `command` is MessagePack.
commands = Table(
    "commands",
    metadata,
    Column("id", String, primary_key=True),
    Column("scope", String, nullable=False),
    Column("command", LargeBinary, nullable=False),
    Column("expires_at", Float),
    Column("target_all", Boolean, nullable=False),
    Column("cluster_name", String),
    Column("created_by", String, nullable=False),
    Column("has_run", Boolean, nullable=False),
    Column("inserted_at", Float, nullable=False),
    Index("commands_inserted", "inserted_at"),
)

command_executions = Table(
    "command_executions",
    metadata,
    Column("id", String, primary_key=True),
    Column("command_id", String, nullable=False),
    Column("node_id", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("exit_code", Integer),
    Column("ending", String),
    Column("reason", String),
    Column("message", Text, nullable=False),
    Column("duration_ms", Integer),
    Column("size", Integer, nullable=False),
    Column("omitted", Integer, nullable=False),
    Column("artifact", String),
    Column("sent_at", Float),
    Column("completed_at", Float),
    Column("cancelled_at", Float),
    Column("inserted_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("command_executions_of", "command_id", "node_id", unique=True),
    Index("command_executions_node", "node_id", "stage"),
)

# Pieces of output, numbered over all hosts of a command.
command_output = Table(
    "command_output",
    metadata,
    Column("command_id", String, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("node_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("offset", Integer, nullable=False),
    Column("omitted", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Index("command_output_node", "command_id", "node_id", "number", unique=True),
)
