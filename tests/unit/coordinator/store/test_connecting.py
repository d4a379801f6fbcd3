from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from coordinator.store.connecting import fault, in_transaction, open_engine


def test_a_reader_cannot_write_and_a_writer_takes_its_lock_at_once(tmp_path: Path) -> None:
    """A transaction that may write never finds out half-way that another one is writing."""
    path = tmp_path / "x.db"
    writer = open_engine(f"sqlite:///{path}", writer=True, inline=False)
    reader = open_engine(f"sqlite:///{path}", writer=False, inline=False)
    with writer.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    with reader.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(text("INSERT INTO t VALUES (1)"))
    with writer.begin(), closing(sqlite3.connect(path, timeout=0)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)
    writer.dispose()
    reader.dispose()


def test_a_fault_of_the_disk_is_told_from_a_mistake_in_a_statement(tmp_path: Path) -> None:
    """A full disk is no bug: the caller is asked to come back, and hears which fault it was."""
    writer = open_engine(f"sqlite:///{tmp_path / 'x.db'}", writer=True, inline=False)
    with writer.connect() as connection:
        connection.execute(text("CREATE TABLE t (data BLOB)"))
        assert in_transaction(connection)
        with pytest.raises(OperationalError) as mistake:
            connection.execute(text("SELECT nothing"))
        assert fault(mistake.value) is None
        connection.execute(text("PRAGMA max_page_count = 4"))
        with pytest.raises(OperationalError) as full:
            connection.execute(text("INSERT INTO t VALUES (zeroblob(100000))"))
        assert "SQLITE_FULL" in str(fault(full.value))
        # SQLite has ended the transaction by itself, with all that was in it.
        assert not in_transaction(connection)
    writer.dispose()


def test_a_write_where_only_reading_is_allowed_is_a_mistake(tmp_path: Path) -> None:
    """On the reader's side it is ours; for the writer the disk became read-only."""
    path = f"sqlite:///{tmp_path / 'x.db'}"
    writer = open_engine(path, writer=True, inline=False)
    with writer.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    reader = open_engine(path, writer=False, inline=False)
    with reader.connect() as connection, pytest.raises(OperationalError) as caught:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    assert fault(caught.value, writer=False) is None
    assert fault(caught.value) is not None
    reader.dispose()
    writer.dispose()
