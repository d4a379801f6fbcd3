from __future__ import annotations

from coordinator.store import challenges
from coordinator.store.challenges import Challenge
from tests.fakes.stores import FrozenClock, memory_store


def test_a_challenge_is_open_to_its_key_until_it_is_used_or_over() -> None:
    """Another key, a second time, or too late: nothing is open."""
    clock = FrozenClock(100.0)
    store = memory_store(clock)
    one, two = (Challenge(f"c{n}", "k", f"n{n}", 150.0 + n) for n in (1, 2))
    for made in (one, two):
        store.write_now(lambda tx, c=made: challenges.create(tx, c))
    assert store.read_now(lambda tx: challenges.open_for(tx, "other", "c1", 9)) == ()
    assert store.read_now(lambda tx: challenges.open_for(tx, "k", None, 9)) == (two, one)
    assert store.read_now(lambda tx: challenges.open_for(tx, "k", None, 1)) == (two,)
    assert store.read_now(lambda tx: challenges.open_for(tx, "k", "c1", 9)) == (one,)
    assert store.read_now(lambda tx: challenges.waiting(tx, "k")) == 2
    store.write_now(lambda tx: challenges.use_up(tx, "c2"))
    assert store.read_now(lambda tx: challenges.open_for(tx, "k", None, 9)) == (one,)
    assert store.read_now(lambda tx: challenges.open_for(tx, "", None, 9)) != (one,)
    assert store.read_now(lambda tx: challenges.state(tx, "c2")) == "used"
    assert store.read_now(lambda tx: challenges.state(tx, "c1")) == "open"
    assert store.read_now(lambda tx: challenges.state(tx, "c3")) is None
    clock.now = 151.0
    assert store.read_now(lambda tx: challenges.open_for(tx, "k", "c1", 9)) == ()
    assert store.read_now(challenges.waiting) == 0
