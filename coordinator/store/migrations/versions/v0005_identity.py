"""Tables for identity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make room for who holds a host's key."""
    op.create_table(
        "ratchets",
        sa.Column("node_id", sa.String(), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("diverged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("node_id"),
    )
