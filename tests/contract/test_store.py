"""What a store promises, in memory without threads and in a file with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from sqlalchemy.exc import OperationalError

from coordinator.store import events, records
from coordinator.store.database import Store, Tx
from tests.fakes.stores import FrozenClock, file_store

WHO = events.Principal("operator", "o1", "ada")


class Spec(msgspec.Struct, frozen=True):
    number: int = 0


def make(tx: Tx, name: str) -> records.Record:
    made = records.create(tx, kind="thing", scope="a/b/c", name=name, spec=Spec())
    assert isinstance(made, records.Record)
    return made


def names(tx: Tx) -> list[str | None]:
    return [record.name for record in records.listing(tx, "thing")]


@pytest.fixture
def told() -> list[frozenset[str]]:
    return []


@pytest.fixture(params=["memory", "file"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, told: list[frozenset[str]]
) -> AsyncGenerator[Store]:
    clock = FrozenClock()
    if request.param == "file":
        async with file_store(tmp_path, clock, told.append) as opened:
            yield opened
    else:
        opened = Store.open("sqlite://", clock=clock, inline=True, on_commit=told.append)
        yield opened
        await opened.aclose()


async def test_what_was_written_is_read(store: Store) -> None:
    """A result that `write` returned is seen by the next read."""
    await store.write(partial(make, name="one"))
    assert await store.read(names) == ["one"]


async def test_a_failing_job_undoes_itself_alone(store: Store) -> None:
    """Of many jobs at once, the one that raises leaves nothing; all the others are stored."""

    def bad(tx: Tx) -> None:
        make(tx, "bad")
        raise LookupError("on purpose")

    caught: list[str] = []

    async def attempt() -> None:
        try:
            await store.write(bad)
        except LookupError as error:
            caught.append(str(error))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(store.write, partial(make, name=f"good{number}"))
            nursery.start_soon(attempt)
    assert sorted(await store.read(names)) == sorted(f"good{n}" for n in range(20))
    assert caught == ["on purpose"] * 20


async def test_a_read_cannot_write(store: Store) -> None:
    """A job that writes under `read` is an error and changes nothing, and writing still works."""
    with pytest.raises(OperationalError, match="readonly"):
        await store.read(partial(make, name="no"))
    await store.write(partial(make, name="yes"))
    assert await store.read(names) == ["yes"]


async def test_topics_are_told_after_the_commit_and_only_then(
    store: Store, told: list[frozenset[str]]
) -> None:
    """A job that wakes topics tells them once it is stored; a failed one tells nothing."""

    def good(tx: Tx) -> int:
        tx.wake("node:n1")
        return tx.emit(events.NewEvent("a.b", "s", WHO, WHO, "text"))

    def bad(tx: Tx) -> None:
        good(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(bad)
    assert told == []
    assert await store.write(good) == 1
    assert told == [frozenset({"events", "node:n1"})]


async def test_a_cancelled_writer_still_wakes_the_topics(
    store: Store, told: list[frozenset[str]]
) -> None:
    """The wake-up belongs to the commit: an owner that has gone does not take it along."""

    def slow(tx: Tx) -> None:
        tx.wake("late")

    with trio.CancelScope() as scope:
        scope.cancel()
        await store.write(slow)
    # One more job through the same writer: when it is answered, the first one was too.
    await store.write(lambda tx: tx.wake("second"))
    assert told[-1] == frozenset({"second"})
    assert told[:-1] in ([frozenset({"late"})], [])


async def test_events_are_one_unbroken_chain(store: Store) -> None:
    """Sequence numbers have no gap, even where jobs failed in between, and the hashes hold."""

    def emit(tx: Tx, fail: bool) -> None:
        tx.emit(events.NewEvent("a.b", "s", WHO, WHO, "text"))
        if fail:
            raise LookupError

    for number in range(9):
        try:
            await store.write(partial(emit, fail=number % 3 == 1))
        except LookupError:
            assert number % 3 == 1
    found = await store.read(lambda tx: [event.seq for event in events.after(tx, 0)])
    assert found == [1, 2, 3, 4, 5, 6]
    assert await store.read(events.broken_at) is None


async def test_ids_sort_by_time_and_differ(store: Store) -> None:
    """Each id of a transaction is its own."""
    first, second = await store.write(lambda tx: (tx.ulid(), tx.ulid()))
    assert first != second
