"""The agent's one SQLite file: opening it, transactions, and what a full disk means.

What the tables hold is the business of `ledger`, `journal`, `trust` and `step_store`. One
connection serves the event loop and the worker thread; a lock keeps their transactions apart.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from protocol.errors import StandfastError

FILE = "agent.db"
RESERVE_FILE = "reserve"
# Freed when the disk is full, so that running work can still be reported: a refusal is 1 KiB, the
# progress of an apply 2 KiB per resource, each at most twice on disk (write-ahead log and table).
RESERVE_BYTES = 4_194_304
# Cache of 64 pages of 4 KiB; the log is folded in every 256 pages. Both keep an idle agent small.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-256",
    "PRAGMA wal_autocheckpoint=256",
    "PRAGMA journal_size_limit=1048576",
)
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, size INTEGER, entry BLOB)",
    "CREATE TABLE IF NOT EXISTS epochs (scope TEXT PRIMARY KEY, epoch INTEGER)",
    "CREATE TABLE IF NOT EXISTS used (decision TEXT PRIMARY KEY, uses INTEGER, expires INTEGER)",
    # When each decision that is used more than once was acted on last, and those taken back.
    "CREATE TABLE IF NOT EXISTS acted (decision TEXT PRIMARY KEY, at INTEGER, expires INTEGER)",
    "CREATE TABLE IF NOT EXISTS revoked (decision TEXT PRIMARY KEY, expires INTEGER)",
    # Sealed secrets, and of each the newest that was ever seen here: no older one is taken again.
    """CREATE TABLE IF NOT EXISTS secrets (name TEXT, version INTEGER, sealed BLOB,
    PRIMARY KEY (name, version)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS secrets_seen (name TEXT PRIMARY KEY, version INTEGER,
    revision INTEGER, ciphertext TEXT) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS steps (number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT UNIQUE, fence INTEGER, phase TEXT, offer BLOB)""",
    """CREATE TABLE IF NOT EXISTS progress (number INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT, message BLOB)""",
)
VERSION = 1
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})

T = TypeVar("T")
Tx = sqlite3.Connection


class StorageError(StandfastError):
    """The database could not be written; `full` says that room on the disk would help."""

    def __init__(self, message: str, *, full: bool) -> None:
        super().__init__(message)
        self.full = full


class Database:
    """One open state file; every write is durable when its call returns."""

    def __init__(self, state_dir: Path, *, reserve: int = RESERVE_BYTES) -> None:
        self._reserve_path = state_dir / RESERVE_FILE
        self._reserve_bytes = reserve
        self._lock = threading.RLock()
        self._failed = False
        path = state_dir / FILE
        try:
            path.touch(mode=0o600)
            self._tx = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{path}: {error}", full=False) from error
        self._hold_reserve()

    def _open(self) -> None:
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            # Even opening writes (the log and its index): a full disk must not keep the agent down.
            if error.sqlite_errorcode & 0xFF not in _FULL or not self._release_reserve():
                raise
            self._prepare()

    def _prepare(self) -> None:
        for pragma in PRAGMAS:
            self._tx.execute(pragma).fetchall()
        found: tuple[int] = self._tx.execute("PRAGMA user_version").fetchone()
        if found[0] > VERSION:
            text = f"state of version {found[0]} was written by a newer agent; upgrade this one"
            raise StorageError(text, full=False)
        for statement in SCHEMA:
            self._tx.execute(statement)
        if found[0] != VERSION:
            self._tx.execute(f"PRAGMA user_version={VERSION}")

    @property
    def disk_full(self) -> bool:
        """Whether the last write failed for want of room, or the reserve is used up."""
        return self._failed or not self._reserve_path.exists()

    def write(self, job: Callable[[Tx], T], *, urgent: bool = False) -> T:
        """Run a job in one transaction and return its answer once it is durable.

        An urgent job may use up the reserve: reports of work that has begun are urgent, new work
        is not. An exception of the job undoes all that it wrote.

        Raises:
            StorageError: the disk is full or broken; nothing was written.
        """
        with self._lock:
            try:
                answer = self._attempt(job)
            except StorageError as error:
                self._failed = error.full
                if not (urgent and error.full and self._release_reserve()):
                    raise
                answer = self._attempt(job)
            self._failed = False
            return answer

    def read(self, job: Callable[[Tx], T]) -> T:
        """Run a job that only reads."""
        with self._lock:
            return job(self._tx)

    def _attempt(self, job: Callable[[Tx], T]) -> T:
        try:
            self._tx.execute("BEGIN IMMEDIATE")
            answer = job(self._tx)
            self._tx.execute("COMMIT")
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorcode & 0xFF
            raise StorageError(f"{FILE}: {error}", full=code in _FULL) from error
        finally:
            if self._tx.in_transaction:
                self._tx.execute("ROLLBACK")
        return answer

    def recover(self) -> None:
        """Take the reserve again if it was used and there is room now; a wake-up costs nothing."""
        with self._lock:
            if self.disk_full:
                self._hold_reserve()
                self._failed = self._failed and not self._reserve_path.exists()

    def _hold_reserve(self) -> None:
        if self._reserve_bytes == 0 or self._reserve_path.exists():
            return
        draft = self._reserve_path.with_name("reserve.new")
        try:
            _allocate(draft, self._reserve_bytes)
            draft.replace(self._reserve_path)
        except OSError:
            draft.unlink(missing_ok=True)

    def _release_reserve(self) -> bool:
        try:
            self._reserve_path.unlink()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the file; what was written stays."""
        with self._lock:
            self._tx.close()


def _allocate(path: Path, size: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    finally:
        os.close(fd)


def get_bytes(tx: Tx, key: str) -> bytes | None:
    """Return a stored value."""
    row: tuple[bytes] | None = tx.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
    return None if row is None else row[0]


def get_int(tx: Tx, key: str) -> int:
    """Return a stored number, 0 if there is none."""
    row: tuple[int] | None = tx.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
    return 0 if row is None else row[0]


def put(tx: Tx, key: str, value: bytes | int | None) -> None:
    """Store a value; None removes it."""
    if value is None:
        tx.execute("DELETE FROM meta WHERE key=?", (key,))
    else:
        tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
