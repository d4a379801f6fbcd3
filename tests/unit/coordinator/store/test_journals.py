from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from coordinator.store import journals
from coordinator.store.journals import Head
from protocol import journal
from protocol.messages import Audit
from tests.fakes.fleet import FakeHost, chunks
from tests.fakes.stores import memory_store


def test_a_journal_grows_entry_by_entry() -> None:
    """Its head is the last entry, each number is taken once, bodies of artifacts lie elsewhere."""
    store, host = memory_store(), FakeHost(10)
    entries = host.say(Audit("a", "1"), *chunks(b"data", "plan"), Audit("a", "2"))
    assert store.read_now(lambda tx: journals.head(tx, "n")) == Head(0, journal.GENESIS)
    store.write_now(lambda tx: journals.append(tx, "n", entries[:1]))
    store.write_now(lambda tx: journals.append(tx, "n", entries[1:]))
    last = Head(3, journal.hash_of(entries[2]))
    assert store.read_now(lambda tx: journals.head(tx, "n")) == last
    assert store.read_now(lambda tx: journals.hash_at(tx, "n", 2)) == journal.hash_of(entries[1])
    assert store.read_now(lambda tx: journals.hash_at(tx, "n", 4)) is None
    kinds = ("audit", "artifact")
    assert store.read_now(lambda tx: journals.latest(tx, "n", kinds, 9)) == (
        entries[2],
        entries[0],
    )
    with pytest.raises(IntegrityError):
        store.write_now(lambda tx: journals.append(tx, "n", entries[1:2]))


def test_the_oldest_entries_give_way() -> None:
    """A host keeps its newest entries within a number and within a size; its head stays."""
    store, host = memory_store(), FakeHost(10)

    def store_notes(keep: journals.Keep, *texts: str) -> int:
        for entry in host.say(*(Audit("a", text) for text in texts)):
            store.write_now(lambda tx, e=entry: journals.append(tx, "n", [e], keep=keep))
        return store.read_now(lambda tx: journals.held(tx, "n"))[0]

    assert store_notes(journals.Keep(entries=6, every=4), *["x"] * 12) == 6
    assert store.read_now(lambda tx: journals.hash_at(tx, "n", 6)) is None
    assert store_notes(journals.Keep(size=5_000, every=4), *["x" * 2_000] * 4) == 2
    assert store.read_now(lambda tx: journals.head(tx, "n")).seq == 16
    store.write_now(lambda tx: journals.forget(tx, "n"))
    assert store.read_now(lambda tx: journals.head(tx, "n")) == Head(0, journal.GENESIS)
