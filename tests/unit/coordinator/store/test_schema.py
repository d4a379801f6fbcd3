from __future__ import annotations

from coordinator.store.schema import metadata


def test_every_table_has_a_primary_key() -> None:
    """Each row can be named."""
    assert [t.name for t in metadata.sorted_tables if not t.primary_key.columns] == []
