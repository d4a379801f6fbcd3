"""How connections are opened: pragmas, transactions that begin when we say, and the pool.

The one file that knows what is special about SQLite.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from protocol.errors import StandfastError

# A second process (a backup, a person with a shell) may hold the lock for this long.
BUSY_SECONDS = 10


class StoreUnusableError(StandfastError):
    """The database cannot be used as it is; the text says why and what would help."""


def open_engine(url: str, *, writer: bool, inline: bool) -> Engine:
    """Return an engine for one writer or for readers that cannot write.

    Raises:
        StoreUnusableError: the URL is malformed, no SQLite, or in memory without `inline`.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnusableError(f"database URL {url!r}: {error}") from error
    if parsed.get_backend_name() != "sqlite":
        raise StoreUnusableError(
            f"database {parsed.get_backend_name()!r} is not supported; use sqlite"
        )
    memory = not parsed.database or parsed.database == ":memory:"
    if memory and not inline:
        raise StoreUnusableError("an in-memory database cannot be shared by threads; use a file")
    # The pool hands a connection to one thread at a time; the driver need not check that again.
    engine = create_engine(
        parsed,
        poolclass=StaticPool if memory else QueuePool,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
    )

    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        _prepare(connection, writer=writer)

    def on_begin(connection: Connection) -> None:
        # A writer takes its lock at once: a read that turns into a write could fail half-way.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _prepare(connection: sqlite3.Connection, *, writer: bool) -> None:
    # None: the driver begins nothing by itself, so that savepoints and BEGIN IMMEDIATE work.
    connection.isolation_level = None
    if writer:
        connection.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit that was answered survives a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    if not writer:
        connection.execute("PRAGMA query_only = ON")
