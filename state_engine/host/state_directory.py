"""The private directory in which `standfast-state` keeps what it must remember between runs.

    snapshot.json    what was applied          journal.jsonl    how far a running apply has come
    stat-cache       digests by lstat          fingerprint.key  the key for values not to be shown
    backups/         copies of overwritten files                lock
    reverts/         how the latest applies are taken back      sources/         fetched content

The agent keeps its own state elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

import msgspec

from protocol.errors import MALFORMED, StandfastError
from state_engine.host.files import LinuxFiles
from state_engine.host.stat_cache import StatCache
from state_engine.model import Snapshot

_KEY_BYTES = 32
# 100,000 entries of about 200 bytes; what is larger was not written by us.
_MAX_CACHE = 64 * 1_048_576


class StateDirectoryError(StandfastError):
    """The state directory cannot be used: not ours, damaged, or in use."""


class StateDirectory:
    """One state directory; made with mode 0700 if it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = LinuxFiles()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = path.stat()
        except OSError as error:
            raise StateDirectoryError(f"cannot use {path}: {error.strerror}") from error
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise StateDirectoryError(
                f"{path} must belong to the user who runs this and be writable by nobody else"
            )
        # Resolved once, so that the careful walk to files inside meets no link of the way there.
        self.path = path.resolve()

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Keep other applies out while this one runs.

        Raises:
            StateDirectoryError: another one is running.
        """
        with self._append("lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateDirectoryError(f"another apply is using {self.path}") from None
            yield

    def fingerprint_key(self) -> bytes:
        """Return the key, made at first use."""
        path = self.path / "fingerprint.key"
        with suppress(FileNotFoundError):
            key = path.read_bytes()
            if len(key) == _KEY_BYTES:
                return key
        key = secrets.token_bytes(_KEY_BYTES)
        self._write("fingerprint.key", key)
        return key

    def snapshot(self) -> Snapshot:
        """Return the saved snapshot; an empty one at first.

        Raises:
            StateDirectoryError: it is damaged. It is not replaced: it says what may be removed.
        """
        path = self.path / "snapshot.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Snapshot)
        except FileNotFoundError:
            return Snapshot()
        except (OSError, *MALFORMED) as error:
            raise StateDirectoryError(f"cannot read {path}: {error}") from error

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Make a snapshot durable."""
        self._write("snapshot.json", msgspec.json.encode(snapshot))

    def stat_cache(self) -> StatCache:
        """Return the saved cache; an empty one if there is none that can be read."""
        cache = StatCache()
        with suppress(OSError):
            path = self.path / "stat-cache"
            if path.stat().st_size <= _MAX_CACHE:
                cache.load(path.read_bytes())
        return cache

    def save_stat_cache(self, cache: StatCache) -> None:
        """Save the cache; losing it costs time only, so it is neither synced nor an error."""
        temporary = self.path / "stat-cache.tmp"
        with suppress(OSError):
            temporary.touch(mode=0o600)
            temporary.write_bytes(cache.dump())
            temporary.replace(self.path / "stat-cache")

    def journal(self) -> list[bytes]:
        """Return the lines of the journal; a last line that was cut off is left out."""
        try:
            data = (self.path / "journal.jsonl").read_bytes()
        except FileNotFoundError:
            return []
        return data.split(b"\n")[:-1]

    @contextmanager
    def journalling(self) -> Generator[Journal, None, None]:
        """Hold the journal open for an apply."""
        with self._append("journal.jsonl") as file:
            yield Journal(file.fileno())

    def clear_journal(self) -> None:
        """Drop the journal, once the snapshot holds what it said."""
        (self.path / "journal.jsonl").unlink(missing_ok=True)

    def _append(self, name: str) -> FileIO:
        # Ours alone, whatever our umask: the journal holds contents, and a lock can be held by
        # whoever can open it.
        try:
            return FileIO(
                self.path / name, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)
            )
        except OSError as error:
            raise StateDirectoryError(
                f"cannot open {self.path / name}: {error.strerror}"
            ) from error

    def _write(self, name: str, data: bytes) -> None:
        self._files.write(str(self.path / name), data, 0o600, -1, -1)


class Journal:
    """Appends lines that outlive this process (not the host: a sync per item would halve speed)."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def add(self, line: bytes) -> None:
        """Append one line."""
        os.write(self._handle, line + b"\n")
