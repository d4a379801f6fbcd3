from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

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
        pages: int = await store.read(
            lambda tx: tx.conn.execute(text("PRAGMA page_count")).scalar_one()
        )

        def limit(tx: Tx) -> None:
            tx.conn.execute(text(f"PRAGMA max_page_count = {pages + 2}"))

        await store.write(limit)
        failed: list[str] = []

        async def fill(name: str) -> None:
            try:
                await store.write(lambda tx: settings.put(tx, name, "x" * 50_000))
            except OperationalError:
                failed.append(name)

        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(fill, f"n{number}")
        assert sorted(failed) == ["n0", "n1", "n2"]
        await store.write(lambda tx: settings.put(tx, "small", "y"))
        assert await store.read(lambda tx: settings.get(tx, "small")) == "y"
        assert await store.read(lambda tx: settings.get(tx, "n0")) is None


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
