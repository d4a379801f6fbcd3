from __future__ import annotations

from coordinator.store import counters
from tests.fakes.stores import memory_store


def test_a_counter_only_rises() -> None:
    """The first value is 1, names do not mix, an unknown one is 0."""
    store = memory_store()
    values = [store.write_now(lambda tx: counters.next_value(tx, "a")) for _ in range(3)]
    assert values == [1, 2, 3]
    assert store.write_now(lambda tx: counters.add(tx, "b", 10)) == 10
    assert store.read_now(lambda tx: [counters.value(tx, name) for name in "abc"]) == [3, 10, 0]
