from __future__ import annotations

import msgspec
import pytest

from coordinator.store import audit, events
from coordinator.store.audit import Search
from coordinator.store.database import Store
from coordinator.store.events import NewEvent, Principal
from protocol import audit_heads, dsse
from protocol.audit_chain import Checker
from protocol.audit_heads import Head
from protocol.keys import SigningKey
from tests.fakes.stores import FrozenClock, memory_store

KEY = SigningKey(b"\x01" * 32)
ADA, WEB = Principal("operator", "o1", "ada"), Principal("agent", "n1", 'web "1"')


def filled(clock: FrozenClock) -> Store:
    """Return a store with four events, one at each second from 10 on."""
    store = memory_store(clock)
    for number, (kind, actor, target) in enumerate(
        (
            ("agent.approved", ADA, WEB),
            ("agents", WEB, WEB),
            ("state.applied", WEB, ADA),
            ("auth.failed", Principal("stranger", "n1", "ada"), Principal("run", "o1", "ada")),
        )
    ):
        clock.now = 10.0 + number
        event = NewEvent(kind, "s", actor, target, f"é {number}", data={"n": number})
        store.write_now(lambda tx, e=event: tx.emit(e))
    return store


def envelope(seq: int) -> dsse.Envelope:
    """Return a signed head."""
    return audit_heads.sign(Head(1, "head", seq, "ab" * 32, 1, KEY.public.hex()), KEY)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), [4, 3, 2, 1]),
        (Search(agent=("n1",)), [3, 2, 1]),
        (Search(agent=('web "1"',)), [3, 2, 1]),
        (Search(agent=("n%",)), []),
        (Search(agent=("n",)), []),
        (Search(operator=("o1",)), [3, 1]),
        (Search(operator=("nobody", "ada")), [3, 1]),
        (Search(event_type="agent.approved"), [1]),
        (Search(category="agent"), [1]),
        (Search(category="agents"), [2]),
        (Search(category="agent%"), []),
        (Search(after=11.0, before=13.0), [3, 2]),
        (Search(operator=("o1",), category="agent"), [1]),
    ],
)
def test_events_are_found_by_who_what_and_when(search: Search, found: list[int]) -> None:
    store = filled(FrozenClock())
    rows = store.read_now(lambda tx: audit.find(tx, search, None, 9))
    assert [row.seq for row in rows] == found
    below = store.read_now(lambda tx: audit.find(tx, search, 3, 9))
    assert [row.seq for row in below] == [seq for seq in found if seq < 3]


def test_exported_lines_hash_to_what_is_stored() -> None:
    store = filled(FrozenClock())
    checker = Checker(None)
    for line in store.read_now(lambda tx: audit.lines(tx, 0, 9)):
        checker.feed(msgspec.json.encode(line))
    assert checker.findings == []
    tail = store.read_now(audit.tail)
    assert (tail.seq, checker.last) == (4, 4)
    assert store.read_now(lambda tx: audit.hash_at(tx, 4)) == tail.hash
    assert store.read_now(lambda tx: audit.hash_at(tx, 5)) is None
    assert [one.seq for one in store.read_now(lambda tx: audit.lines(tx, 1, 2))] == [2, 3]
    first = store.read_now(lambda tx: audit.find(tx, Search(), None, 9))[-1]
    assert store.read_now(lambda tx: audit.seq_of(tx, first.event_id)) == 1
    assert store.read_now(lambda tx: audit.seq_of(tx, "none")) is None


def test_an_empty_log_ends_at_nothing() -> None:
    store = memory_store()
    assert store.read_now(audit.tail) == audit.Tail(0, "00" * 32)
    assert store.read_now(audit.head) is None
    assert store.read_now(audit.head_seq) == 0
    assert store.read_now(lambda tx: audit.older_than(tx, 1e12)) == (0, 0)


def test_only_the_newest_heads_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(audit), "KEEP_HEADS", 2)
    store = memory_store()
    for seq in (1, 2, 3, 4):
        store.write_now(lambda tx, s=seq: audit.add_head(tx, s, "ab" * 32, envelope(s)))
    assert store.read_now(audit.head) == envelope(4)
    kept = store.read_now(
        lambda tx: tx.conn.exec_driver_sql("SELECT seq FROM audit_heads ORDER BY seq").all()
    )
    assert [row[0] for row in kept] == [3, 4]


def test_what_is_older_is_a_beginning_without_a_hole() -> None:
    """A line with an early time behind a later one stays: the clock was set back between them."""
    clock = FrozenClock()
    store = filled(clock)
    clock.now = 5.0
    store.write_now(lambda tx: tx.emit(NewEvent("x.y", "s", ADA, ADA, "early")))
    assert store.read_now(lambda tx: audit.older_than(tx, 12.0)) == (2, 2)
    assert store.read_now(lambda tx: audit.older_than(tx, 10.0)) == (0, 0)
    last = line_hash(store, 2)
    store.write_now(lambda tx: audit.add_tombstone(tx, 2, last, envelope(2)))
    store.write_now(lambda tx: audit.delete_through(tx, 2))
    assert store.read_now(audit.tombstones) == (envelope(2),)
    assert [one.seq for one in store.read_now(lambda tx: audit.lines(tx, 0, 9))] == [3, 4, 5]
    assert store.read_now(events.broken_at) is None


def line_hash(store: Store, seq: int) -> str:
    """Return the hash of a stored line."""
    found = store.read_now(lambda tx: audit.hash_at(tx, seq))
    assert found is not None
    return found
