from __future__ import annotations

import pytest
from sqlalchemy import text

from coordinator.store import events
from coordinator.store.database import Store, Tx
from coordinator.store.events import NewEvent, Principal
from tests.fakes.stores import memory_store

WHO = Principal("operator", "o", "ada")


@pytest.fixture
def store() -> Store:
    opened = memory_store()
    for number in range(6):
        target = Principal("agent", f"n{number % 2}")
        kind = "host.note" if number == 5 else f"a.{number}"
        event = NewEvent(kind, "s", WHO, target, f"text {number}", "info", {"n": number})
        opened.write_now(lambda tx, e=event: tx.emit(e))
    return opened


def seqs(found: tuple[events.Event, ...]) -> list[int]:
    return [event.seq for event in found]


def test_readers_go_on_where_they_were(store: Store) -> None:
    """After a sequence, oldest first, in pages."""
    assert seqs(store.read_now(lambda tx: events.after(tx, 0, limit=2))) == [1, 2]
    assert seqs(store.read_now(lambda tx: events.after(tx, 2))) == [3, 4, 5, 6]
    assert seqs(store.read_now(lambda tx: events.after(tx, 2, target="n0"))) == [3, 5]
    assert seqs(store.read_now(lambda tx: events.after(tx, 0, scope="other"))) == []


def test_the_latest_come_first_and_can_be_chosen(store: Store) -> None:
    """By target, by type, by the beginning of the type."""
    assert seqs(store.read_now(lambda tx: events.latest(tx, limit=2))) == [6, 5]
    assert seqs(store.read_now(lambda tx: events.latest(tx, kinds=("a.1", "a.2")))) == [3, 2]
    assert seqs(store.read_now(lambda tx: events.latest(tx, prefix="host."))) == [6]
    assert store.read_now(events.head) == 6


def test_an_event_comes_back_as_it_was_written(store: Store) -> None:
    """With actor, target and data."""
    (event,) = store.read_now(lambda tx: events.after(tx, 5))
    assert (event.actor, event.target.id, event.data) == (WHO, "n1", {"n": 5})


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE events SET summary = 'x' WHERE seq = 3", 3),
        ("UPDATE events SET at = at + 1 WHERE seq = 1", 1),
        ("DELETE FROM events WHERE seq = 4", 4),
        ("DELETE FROM events WHERE seq = 1", 1),
    ],
)
def test_a_changed_log_shows_where_it_was_changed(store: Store, change: str, where: int) -> None:
    """The hash chain finds edits and holes."""

    def tamper(tx: Tx) -> None:
        tx.conn.execute(text(change))

    assert store.read_now(events.broken_at) is None
    store.write_now(tamper)
    assert store.read_now(events.broken_at) == where
