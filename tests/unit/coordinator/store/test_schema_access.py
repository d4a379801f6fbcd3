from __future__ import annotations

from coordinator.store import migrating, schema_access
from coordinator.store.schema import metadata


def test_the_tables_of_access_and_audit_belong_to_the_one_schema() -> None:
    """A table that the migrations do not see would be missing on every new machine."""
    assert schema_access in migrating.SCHEMAS
    names = {"api_tokens", "audit_heads", "audit_tombstones"}
    assert names <= set(metadata.tables)
