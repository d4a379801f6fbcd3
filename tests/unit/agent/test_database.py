"""Writes are durable or undone; a full disk is told and uses a reserve for running work."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from agent.database import Database, StorageError, Tx, get_bytes, get_int, put
from tests.fakes.small_disk import fill, mounted

small_disk = pytest.fixture(mounted)


def test_what_was_written_is_there_after_a_reopen(tmp_path: Path) -> None:
    """A write is on disk when its call returns."""
    database = Database(tmp_path, reserve=0)
    database.write(lambda tx: put(tx, "a", b"1"))
    database.write(lambda tx: put(tx, "n", 7))
    other = Database(tmp_path, reserve=0)
    assert other.read(lambda tx: get_bytes(tx, "a")) == b"1"
    assert other.read(lambda tx: get_int(tx, "n")) == 7
    other.write(lambda tx: put(tx, "a", None))
    assert database.read(lambda tx: get_bytes(tx, "a")) is None
    database.close()
    other.close()


def test_a_job_that_fails_undoes_all_that_it_wrote(tmp_path: Path) -> None:
    """Nothing half-done stays, and the next job works."""
    database = Database(tmp_path, reserve=0)

    def job(tx: Tx) -> None:
        put(tx, "a", b"1")
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        database.write(job)
    assert database.read(lambda tx: get_bytes(tx, "a")) is None
    database.write(lambda tx: put(tx, "a", b"2"))
    database.close()


def test_state_of_a_newer_agent_is_refused(tmp_path: Path) -> None:
    """An older agent does not guess at what a newer one has written."""
    Database(tmp_path, reserve=0).close()
    with sqlite3.connect(tmp_path / "agent.db") as raw:
        raw.execute("PRAGMA user_version=99")
    raw.close()
    with pytest.raises(StorageError, match="newer agent"):
        Database(tmp_path, reserve=0)


@pytest.mark.needs_root
def test_a_full_disk_refuses_new_work_and_still_takes_reports(small_disk: Path) -> None:
    """SQLITE_FULL is told as such; urgent writes live from the reserve; room heals it."""
    database = Database(small_disk, reserve=262_144)
    database.write(lambda tx: put(tx, "acknowledged", b"kept"))
    filler = fill(small_disk)
    big = os.urandom(65_536)
    with pytest.raises(StorageError) as caught:
        database.write(lambda tx: put(tx, "new work", big))
    assert caught.value.full
    assert database.disk_full
    database.write(lambda tx: put(tx, "report", b"refused"), urgent=True)
    assert database.disk_full, "the reserve is used up"
    filler.unlink()
    database.recover()
    assert not database.disk_full
    database.write(lambda tx: put(tx, "new work", big))
    database.close()
    again = Database(small_disk, reserve=262_144)
    assert again.read(lambda tx: get_bytes(tx, "acknowledged")) == b"kept"
    assert again.read(lambda tx: get_bytes(tx, "report")) == b"refused"
    assert again.read(lambda tx: get_bytes(tx, "new work")) == big
    again.close()


@pytest.mark.needs_root
def test_an_agent_starts_on_a_full_disk(small_disk: Path) -> None:
    """Opening writes too, and an agent that stays down can tell nobody that the disk is full."""
    database = Database(small_disk, reserve=262_144)
    database.write(lambda tx: put(tx, "acknowledged", b"kept"))
    database.close()
    filler = fill(small_disk)
    again = Database(small_disk, reserve=262_144)
    assert again.disk_full
    assert again.read(lambda tx: get_bytes(tx, "acknowledged")) == b"kept"
    again.write(lambda tx: put(tx, "report", b"refused"), urgent=True)
    filler.unlink()
    again.recover()
    assert not again.disk_full
    again.close()


@pytest.mark.needs_root
def test_nothing_is_lost_when_the_reserve_is_gone_too(small_disk: Path) -> None:
    """Then even an urgent write is an error, and what stood before stands."""
    database = Database(small_disk, reserve=65_536)
    database.write(lambda tx: put(tx, "acknowledged", b"kept"))
    fill(small_disk)

    def report_for_ever() -> None:
        for number in range(64):
            database.write(
                lambda tx, n=number: put(tx, f"report{n}", os.urandom(65_536)), urgent=True
            )

    with pytest.raises(StorageError):
        report_for_ever()
    assert database.read(lambda tx: get_bytes(tx, "acknowledged")) == b"kept"
    database.close()
