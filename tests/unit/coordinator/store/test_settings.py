from __future__ import annotations

from coordinator.store import settings
from tests.fakes.stores import memory_store


def test_a_setting_is_what_it_was_set_to_last() -> None:
    """Before that it is None."""
    store = memory_store()
    assert store.read_now(lambda tx: settings.get(tx, "a")) is None
    for value in ("1", "2"):
        store.write_now(lambda tx, v=value: settings.put(tx, "a", v))
    assert store.read_now(lambda tx: settings.get(tx, "a")) == "2"
