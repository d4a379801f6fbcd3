"""Tables for commands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make room for commands, each host's part in them, and what it printed."""
    op.create_table(
        "commands",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("command", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.Float()),
        sa.Column("target_all", sa.Boolean(), nullable=False),
        sa.Column("cluster_name", sa.String()),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("has_run", sa.Boolean(), nullable=False),
        sa.Column("inserted_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("commands_inserted", "commands", ["inserted_at"])
    op.create_table(
        "command_executions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("node_id", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("ending", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.Integer()),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("omitted", sa.Integer(), nullable=False),
        sa.Column("artifact", sa.String()),
        sa.Column("sent_at", sa.Float()),
        sa.Column("completed_at", sa.Float()),
        sa.Column("cancelled_at", sa.Float()),
        sa.Column("inserted_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    of = ["command_id", "node_id"]
    op.create_index("command_executions_of", "command_executions", of, unique=True)
    op.create_index("command_executions_node", "command_executions", ["node_id", "stage"])
    op.create_table(
        "command_output",
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("node_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("omitted", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("command_id", "seq"),
    )
    op.create_index("command_output_node", "command_output", [*of, "number"], unique=True)
