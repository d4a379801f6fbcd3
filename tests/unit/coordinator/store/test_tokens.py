from __future__ import annotations

import msgspec
from sqlalchemy import text

from coordinator.store import tokens
from coordinator.store.tokens import StoredToken
from tests.fakes.stores import FrozenClock, memory_store

MADE = StoredToken("ci", "viewer", ("read",), "*", "o", "ada", 5.0, 50.0)


def test_a_token_is_found_by_its_secret_until_it_ends_or_is_removed() -> None:
    """Its name is its own as long as it is there; the secret is nowhere."""
    clock = FrozenClock(10.0)
    store = memory_store(clock)
    assert store.write_now(lambda tx: tokens.create(tx, "sf_secret", MADE))
    assert not store.write_now(lambda tx: tokens.create(tx, "sf_other", MADE))
    assert store.read_now(tokens.count) == 1
    assert store.read_now(lambda tx: tokens.find(tx, "sf_secret")) == MADE
    assert store.read_now(lambda tx: tokens.find(tx, "sf_other")) is None
    rows = store.read_now(lambda tx: repr(tx.conn.execute(text("SELECT * FROM api_tokens")).all()))
    assert "sf_secret" not in rows
    store.write_now(lambda tx: tokens.used(tx, "sf_secret"))
    assert store.read_now(tokens.listing) == (msgspec.structs.replace(MADE, last_used_at=10.0),)
    assert store.read_now(lambda tx: tokens.of_operator(tx, "o")) == ("ci",)
    assert store.read_now(lambda tx: tokens.of_operator(tx, "p")) == ()
    clock.now = 50.0
    assert store.read_now(lambda tx: tokens.find(tx, "sf_secret")) is None
    assert store.write_now(lambda tx: tokens.remove(tx, "ci")) is not None
    assert store.write_now(lambda tx: tokens.remove(tx, "ci")) is None
