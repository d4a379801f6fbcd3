"""Small facts about the installation itself, by name."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from coordinator.store import schema
from coordinator.store.database import Tx


def get(tx: Tx, name: str) -> str | None:
    """Return the value of a setting, or None if it was never set."""
    table = schema.settings
    value: str | None = tx.conn.execute(select(table.c.value).where(table.c.name == name)).scalar()
    return value


def put(tx: Tx, name: str, value: str) -> None:
    """Set a setting."""
    tx.conn.execute(
        insert(schema.settings)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )
