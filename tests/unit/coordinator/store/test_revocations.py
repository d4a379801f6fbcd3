from __future__ import annotations

import msgspec

from coordinator.store import revocations
from coordinator.store.revocations import StoredRevocation
from protocol import dsse
from tests.fakes import people
from tests.fakes.stores import FrozenClock, memory_store

ENVELOPE = people.sign(dsse.REVOCATION, b"revocation", 1)


def test_a_revocation_is_in_force_until_the_decision_would_have_ended() -> None:
    """Oldest first, every link is woken; after its time it is still known, but told no more."""
    told: list[frozenset[str]] = []
    clock = FrozenClock(100.0)
    store = memory_store(clock, told.append)
    one = StoredRevocation("a", ENVELOPE, "ada", 1.0, 200.0)
    two = msgspec.structs.replace(one, decision_id="b", at=2.0, until=300.0)
    for made in (one, two):
        store.write_now(lambda tx, made=made: revocations.add(tx, made))  # type: ignore[misc]  # bound now
    assert store.read_now(revocations.in_force) == (one, two)
    assert "roster" in told[-1]
    clock.now = 200.0
    assert store.read_now(revocations.in_force) == (two,)
    assert store.read_now(lambda tx: revocations.get(tx, "a")) == one
    assert store.read_now(lambda tx: revocations.get(tx, "c")) is None
