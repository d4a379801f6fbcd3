"""How Alembic runs our scripts: on the connection that `coordinator.store.migrating` hands over."""

from __future__ import annotations

from alembic import context

from coordinator.store.schema import metadata

# SQLite changes a table by building it anew; "batch" lets scripts not care.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
