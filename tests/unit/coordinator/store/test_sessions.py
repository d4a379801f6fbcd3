from __future__ import annotations

from sqlalchemy import text

from coordinator.store import sessions
from tests.fakes.stores import FrozenClock, memory_store


def test_a_session_ends_in_time_by_itself_or_with_its_operator() -> None:
    """A token that is over is as good as unknown."""
    clock = FrozenClock(0.0)
    store = memory_store(clock)
    for token, operator in (("t1", "o"), ("t2", "o"), ("t3", "p")):
        store.write_now(lambda tx, t=token, o=operator: sessions.create(tx, o, t, 100.0))
    found = store.read_now(lambda tx: sessions.find(tx, "t1"))
    assert found is not None
    assert found.operator_id == "o"
    store.write_now(lambda tx: sessions.end(tx, "t1"))
    assert store.read_now(lambda tx: sessions.find(tx, "t1")) is None
    store.write_now(lambda tx: sessions.end_all_of(tx, "o"))
    assert store.read_now(lambda tx: sessions.find(tx, "t2")) is None
    assert store.read_now(lambda tx: sessions.find(tx, "t3")) is not None
    clock.now = 100.0
    assert store.read_now(lambda tx: sessions.find(tx, "t3")) is None


def test_tokens_are_not_stored() -> None:
    """Who reads the database can log in as nobody."""
    store = memory_store()
    store.write_now(lambda tx: sessions.create(tx, "o", "the-token", 2e9))
    rows = store.read_now(lambda tx: repr(tx.conn.execute(text("SELECT * FROM sessions")).all()))
    assert "the-token" not in rows


def test_sessions_are_listed_and_ended_by_an_id_that_is_no_secret() -> None:
    """With an operator given, only that operator's; the id opens nothing."""
    clock = FrozenClock(10.0)
    store = memory_store(clock)
    mine = store.write_now(lambda tx: sessions.create(tx, "o", "t1", 100.0, "192.0.2.1" * 20))
    other = store.write_now(lambda tx: sessions.create(tx, "p", "t2", 100.0))
    listed = store.read_now(lambda tx: sessions.listing(tx, "o"))
    assert [one.session_id for one in listed] == [mine]
    assert len(listed[0].source) == sessions.MAX_SOURCE
    assert len(store.read_now(sessions.listing)) == 2
    assert store.read_now(lambda tx: sessions.find(tx, mine)) is None
    clock.now = 20.0
    store.write_now(lambda tx: sessions.used(tx, "t1"))
    (seen,) = store.read_now(lambda tx: sessions.listing(tx, "o"))
    assert int(seen.last_used_at) == 20
    assert store.write_now(lambda tx: sessions.end_by_id(tx, other, "o")) is None
    assert store.write_now(lambda tx: sessions.end_by_id(tx, other, None)) is not None
    assert store.read_now(lambda tx: sessions.find(tx, "t2")) is None
    assert store.write_now(lambda tx: sessions.end_all_of(tx, "o")) == 1
    assert store.write_now(lambda tx: sessions.end_all_of(tx, "o")) == 0
