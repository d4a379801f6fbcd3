from __future__ import annotations

from coordinator.store import event_log, events
from coordinator.store.event_log import GENESIS, NewEvent, Principal
from tests.fakes.stores import memory_store

WHO = Principal("operator", "o")


def test_each_line_covers_the_one_before() -> None:
    """The first stands on the genesis, and equal lines in other places have other hashes."""
    store = memory_store()
    for _ in range(2):
        store.write_now(lambda tx: tx.emit(NewEvent("a.b", "s", WHO, WHO, "same")))
    first, second = store.read_now(lambda tx: events.after(tx, 0))
    assert first.prev_hash == GENESIS
    assert second.prev_hash == first.hash
    assert first.hash != second.hash
    assert event_log.line_hash(GENESIS, ("a",)) != event_log.line_hash(first.hash, ("a",))
