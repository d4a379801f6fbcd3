from __future__ import annotations

from coordinator.store import idempotency
from coordinator.store.idempotency import KEEP_SECONDS, Answer
from tests.fakes.stores import FrozenClock, memory_store


def test_an_answer_is_kept_for_a_day_for_its_operator() -> None:
    """After that the key is free again."""
    clock = FrozenClock()
    store = memory_store(clock)
    answer = Answer("digest", 202, {"x": "y"}, b"body")
    store.write_now(lambda tx: idempotency.keep(tx, "o", "k", answer))
    assert store.read_now(lambda tx: idempotency.find(tx, "o", "k")) == answer
    assert store.read_now(lambda tx: idempotency.find(tx, "p", "k")) is None
    clock.now += KEEP_SECONDS
    assert store.read_now(lambda tx: idempotency.find(tx, "o", "k")) is None
    store.write_now(lambda tx: idempotency.keep(tx, "o", "k", answer))
