from __future__ import annotations

from coordinator.store import migrating, schema_commands
from coordinator.store.schema import metadata


def test_its_tables_are_among_those_that_are_migrated() -> None:
    """The store's migrations know the module, so that schema and database cannot differ."""
    assert schema_commands in migrating.SCHEMAS
    assert {"commands", "command_executions", "command_output"} <= set(metadata.tables)
