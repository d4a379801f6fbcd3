from __future__ import annotations

from coordinator.store import node_statements
from coordinator.store.node_statements import StoredStatement
from protocol import dsse
from tests.fakes import people
from tests.fakes.stores import memory_store

ENVELOPE = people.sign(dsse.NODE, b"statement", 1)


def test_the_newest_statement_takes_the_place_of_the_one_before() -> None:
    """One row a host; its link is woken; forgotten, there is none."""
    told: list[frozenset[str]] = []
    store = memory_store(on_commit=told.append)
    for version in (1, 2):
        made = StoredStatement("node", version, ENVELOPE, "ada", 5.0)
        store.write_now(lambda tx, made=made: node_statements.put(tx, made))  # type: ignore[misc]  # bound now
    assert store.read_now(lambda tx: node_statements.get(tx, "node")) == made
    assert "node:node" in told[-1]
    store.write_now(lambda tx: node_statements.forget(tx, "node"))
    assert store.read_now(lambda tx: node_statements.get(tx, "node")) is None
