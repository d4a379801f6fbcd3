"""Numbers that only rise, one row each."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from coordinator.store import schema
from coordinator.store.database import Tx


def next_value(tx: Tx, name: str) -> int:
    """Return the next value of a counter; the first is 1."""
    return add(tx, name, 1)


def add(tx: Tx, name: str, amount: int) -> int:
    """Raise a counter, which begins at 0, and return its new value."""
    table = schema.counters
    query = (
        insert(table)
        .values(name=name, value=amount)
        .on_conflict_do_update(
            index_elements=[table.c.name], set_={"value": table.c.value + amount}
        )
        .returning(table.c.value)
    )
    return int(tx.conn.execute(query).scalar_one())


def value(tx: Tx, name: str) -> int:
    """Return a counter's value, 0 where it was never raised."""
    table = schema.counters
    return int(tx.conn.execute(select(table.c.value).where(table.c.name == name)).scalar() or 0)
