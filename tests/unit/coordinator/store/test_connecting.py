from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from coordinator.store.connecting import open_engine


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
