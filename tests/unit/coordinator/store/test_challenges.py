from __future__ import annotations

from coordinator.store import challenges
from coordinator.store.challenges import Challenge
from tests.fakes.stores import FrozenClock, memory_store


def test_a_challenge_is_taken_once_by_its_key_and_in_time() -> None:
    """Another key, a second time, or too late: None."""
    clock = FrozenClock(100.0)
    store = memory_store(clock)
    for number in (1, 2):
        one = Challenge(f"c{number}", "k", f"n{number}", 150.0 + number)
        store.write_now(lambda tx, c=one: challenges.create(tx, c))
    assert store.write_now(lambda tx: challenges.take(tx, "other", "c1")) is None
    assert store.read_now(lambda tx: challenges.waiting(tx, "k")) == 2
    latest = store.write_now(lambda tx: challenges.take(tx, "k", None))
    assert latest == Challenge("c2", "k", "n2", 152.0)
    assert store.write_now(lambda tx: challenges.take(tx, "k", "c2")) is None
    clock.now = 151.0
    assert store.write_now(lambda tx: challenges.take(tx, "k", "c1")) is None
    assert store.read_now(challenges.waiting) == 0
