"""How connections are opened: pragmas, transactions that begin when we say, and the pool.

The one file that knows what is special about SQLite.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from protocol.errors import StandfastError

# A second process (a backup, a person with a shell) may hold the lock for this long.
BUSY_SECONDS = 10


# What is wrong with the disk or with who else holds the file, and not with the statement.
_FAULTS = (
    "SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_FULL", "SQLITE_IOERR",
    "SQLITE_NOMEM", "SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_PROTOCOL", "SQLITE_READONLY",
)  # fmt: skip


class StoreUnusableError(StandfastError):
    """The database cannot be used as it is; the text says why and what would help."""


def fault(error: BaseException, *, writer: bool = True) -> StoreUnusableError | None:
    """Return what an error of a statement or commit says of the database itself, or None."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", "")
    if not isinstance(name, str) or not name.startswith(_FAULTS):
        return None
    if name == "SQLITE_READONLY" and not writer:
        # A job that writes where it may only read: a mistake of ours.
        return None
    return StoreUnusableError(f"the database cannot be used now: {cause} ({name})")


def in_transaction(conn: Connection) -> bool:
    """Say whether the driver is inside a transaction: a full disk ends one without being asked."""
    driver = conn.connection.driver_connection
    return not isinstance(driver, sqlite3.Connection) or driver.in_transaction


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
