from __future__ import annotations

import pytest

from coordinator.store import presence
from coordinator.store.database import Store, Tx
from tests.fakes.stores import FrozenClock, memory_store


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(10.0)


@pytest.fixture
def store(clock: FrozenClock) -> Store:
    return memory_store(clock)


def connect(tx: Tx, session: str = "s1") -> None:
    presence.connect(
        tx, "n", session=session, peer="p", hostname="h", agent_version="1", roster_version=3
    )


def get(store: Store) -> presence.Presence:
    found = store.read_now(lambda tx: presence.get(tx, "n"))
    assert found is not None
    return found


def test_a_new_link_keeps_the_facts_of_the_last(store: Store, clock: FrozenClock) -> None:
    """Facts and problems stand until the host says otherwise."""
    store.write_now(connect)
    store.write_now(lambda tx: presence.set_facts(tx, "n", {"os": "x"}, {"cpus": 2, "load": 0.5}))
    store.write_now(lambda tx: presence.seen(tx, "n", drift="drifted", problems=("p",)))
    clock.now = 20.0
    store.write_now(lambda tx: connect(tx, "s2"))
    found = get(store)
    assert (found.attributes, found.details) == ({"os": "x"}, {"cpus": 2, "load": 0.5})
    assert (found.drift, found.problems, int(found.connected_at)) == ("drifted", ("p",), 20)


def test_only_the_link_that_is_the_hosts_can_cut_it_off(store: Store) -> None:
    """An older link that ends late changes nothing."""
    store.write_now(connect)
    store.write_now(lambda tx: connect(tx, "s2"))
    assert not store.write_now(lambda tx: presence.disconnect(tx, "n", "s1"))
    assert get(store).connected
    assert store.write_now(lambda tx: presence.disconnect(tx, "n", "s2"))
    assert not get(store).connected


def test_hosts_can_be_counted_and_forgotten(store: Store) -> None:
    """All at once at start-up, one when its record goes."""
    store.write_now(connect)
    store.write_now(lambda tx: presence.set_roster_version(tx, "n", 7))
    assert get(store).roster_version == 7
    store.write_now(presence.disconnect_all)
    assert [one.connected for one in store.read_now(presence.everything).values()] == [False]
    store.write_now(lambda tx: presence.forget(tx, "n"))
    assert store.read_now(lambda tx: presence.get(tx, "n")) is None
