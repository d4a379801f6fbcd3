from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from sqlalchemy import text

from coordinator.store import settings
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.database import Store, Tx
from tests.fakes.stores import FrozenClock, file_store, memory_store


async def test_commits_are_durable(tmp_path: Path) -> None:
    """The writer runs with a write-ahead log and full synchronisation."""

    def pragmas(tx: Tx) -> tuple[str, int]:
        journal: str = tx.conn.execute(text("PRAGMA journal_mode")).scalar_one()
        level: int = tx.conn.execute(text("PRAGMA synchronous")).scalar_one()
        return journal, level

    async with file_store(tmp_path) as store:
        assert await store.write(pragmas) == ("wal", 2)


async def test_a_commit_that_fails_is_told_to_every_job_of_its_group(tmp_path: Path) -> None:
    """When the disk is full no job of the group is stored, each owner hears it, later ones work."""
    async with file_store(tmp_path) as store:
        await _limit(store, pages=2)
        failed: list[str] = []

        async def fill(name: str) -> None:
            try:
                await store.write(lambda tx: settings.put(tx, name, "x" * 50_000))
            except StoreUnusableError:
                failed.append(name)

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(fill, f"n{number}")
        assert sorted(failed) == ["n0", "n1", "n2"]
        await store.write(lambda tx: settings.put(tx, "small", "y"))
        assert await store.read(lambda tx: settings.get(tx, "small")) == "y"
        assert await store.read(lambda tx: settings.get(tx, "n0")) is None


async def test_a_job_that_ends_the_whole_transaction_takes_no_other_owner_in(
    tmp_path: Path,
) -> None:
    """SQLite undoes all of a transaction when the disk is full: nobody is told of a success."""
    async with file_store(tmp_path) as store:
        await _limit(store, pages=8)
        gate = threading.Event()
        told: dict[str, str] = {}

        def held(tx: Tx) -> None:
            assert gate.wait(10)
            settings.put(tx, "first", "y")

        def job(name: str, size: int) -> Callable[[Tx], None]:
            return lambda tx: settings.put(tx, name, "x" * size)

        async def owner(name: str, work: Callable[[Tx], None]) -> None:
            try:
                await store.write(work)
                told[name] = "stored"
            except StoreUnusableError:
                told[name] = "failed"

        async with trio.open_nursery() as nursery:
            # The first is a group of its own; the others wait for it, and are the next group.
            nursery.start_soon(owner, "first", held)
            await trio.testing.wait_all_tasks_blocked()
            for name, size in (("before", 10), ("large", 500_000), ("after", 10)):
                nursery.start_soon(owner, name, job(name, size))
                await trio.testing.wait_all_tasks_blocked()
            gate.set()
        for name, outcome in told.items():
            stored = await store.read(lambda tx, name=name: settings.get(tx, name))
            assert (outcome, stored is not None) in {("stored", True), ("failed", False)}, name
        assert told["large"] == "failed"
        await store.write(job("later", 10))
        assert await store.read(lambda tx: settings.get(tx, "later")) is not None


async def _limit(store: Store, pages: int) -> None:
    held: int = await store.read(lambda tx: tx.conn.execute(text("PRAGMA page_count")).scalar_one())

    def limit(tx: Tx) -> None:
        tx.conn.execute(text(f"PRAGMA max_page_count = {held + pages}"))

    await store.write(limit)


def test_memory_needs_inline_mode() -> None:
    """An in-memory database under threads is refused with what would be right."""
    with pytest.raises(StoreUnusableError, match="use a file"):
        Store.open("sqlite://", clock=FrozenClock())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The refusal names the cause and is no stack trace of the driver."""
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnusableError, match="not a database"):
        Store.open(f"sqlite:///{path}", clock=FrozenClock())


@pytest.mark.parametrize("url", ["postgresql://localhost/x", "no url"])
def test_other_urls_are_refused(url: str) -> None:
    """An unknown database is refused before anything is opened."""
    with pytest.raises(StoreUnusableError, match="database"):
        Store.open(url, clock=FrozenClock())


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A database that a newer version wrote is left alone."""
    path = tmp_path / "x.db"
    store = Store.open(f"sqlite:///{path}", clock=FrozenClock(), inline=True)
    trio.run(store.aclose)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(StoreUnusableError, match="9999"):
        Store.open(f"sqlite:///{path}", clock=FrozenClock())


async def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    """Opening an existing database keeps its content."""
    async with file_store(tmp_path) as store:
        await store.write(lambda tx: settings.put(tx, "a", "1"))
    async with file_store(tmp_path) as store:
        assert await store.read(lambda tx: settings.get(tx, "a")) == "1"


def test_the_time_of_a_transaction_is_the_clock_at_its_start() -> None:
    """Jobs take the time from their transaction."""
    clock = FrozenClock(5.0)
    store = memory_store(clock)
    clock.now = 6.0
    assert store.write_now(lambda tx: int(tx.now)) == 6
