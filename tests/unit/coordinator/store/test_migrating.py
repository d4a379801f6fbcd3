from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from coordinator.store import migrating
from coordinator.store.connecting import open_engine
from coordinator.store.schema import metadata


def test_the_migrations_make_the_tables_of_the_schema() -> None:
    """Tables made step by step do not differ from the tables that the code names."""
    engine = open_engine("sqlite://", writer=True, inline=True)
    migrating.upgrade(engine)
    migrating.upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
