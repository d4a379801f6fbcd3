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
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO
from pathlib import Path

import msgspec

from protocol.errors import MALFORMED, StandfastError
from state_engine.host import handles
from state_engine.host.files import LinuxFiles
from state_engine.host.stat_cache import StatCache
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot

_KEY_BYTES = 32
# 100,000 entries of about 200 bytes; what is larger was not written by us.
_MAX_CACHE = 64 * 1_048_576


class _Stored(msgspec.Struct):
    """A snapshot whose resources are still text."""

    operation_id: str | None = None
    modules: tuple[str, ...] = ()
    applied: tuple[msgspec.Raw, ...] = ()
    pending: tuple[ResourceKey, ...] = ()


_applied = msgspec.json.Decoder(AppliedResource)


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

    def snapshot(self, desired: Iterable[ResolvedResource] = ()) -> Snapshot:
        """Return the saved snapshot; an empty one at first.

        What it holds of the `desired` resources is not kept a second time.

        Raises:
            StateDirectoryError: it is damaged. It is not replaced: it says what may be removed.
        """
        path = self.path / "snapshot.json"
        wanted = {resource.key: resource for resource in desired}
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
            applied = tuple(_shared(_applied.decode(raw), wanted) for raw in stored.applied)
            return Snapshot(stored.operation_id, stored.modules, applied, stored.pending)
        except FileNotFoundError:
            return Snapshot()
        except (OSError, *MALFORMED) as error:
            raise StateDirectoryError(f"cannot read {path}: {error}") from error

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Make a snapshot durable."""
        # Piece by piece: all of it at once would be as large again as what it says.
        self._write_pieces("snapshot.json", _pieces(snapshot))

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

    def _write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        try:
            _replace(self.path / name, pieces)
        except OSError as error:
            raise StateDirectoryError(f"cannot write {self.path / name}: {error}") from error


def _replace(target: Path, pieces: Iterable[bytes]) -> None:
    """Put a file in place of another in one step, on disk on return."""
    temporary = target.with_name(f"{target.name}.tmp")
    # A leftover of a crash; in this directory nobody but us makes files.
    temporary.unlink(missing_ok=True)
    with BufferedWriter(FileIO(temporary, "xb", opener=_private)) as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    with handles.closing(os.open(target.parent, handles.LIST)) as handle:
        os.fsync(handle)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _shared(
    applied: AppliedResource, wanted: Mapping[ResourceKey, ResolvedResource]
) -> AppliedResource:
    """Return an applied resource that shares what is the same with the desired one."""
    mine = wanted.get(applied.resource.key)
    if mine is None or mine != applied.resource:
        return applied
    return msgspec.structs.replace(applied, resource=mine)


def _pieces(snapshot: Snapshot) -> Iterator[bytes]:
    """Return a snapshot as JSON, one applied resource a piece."""
    rest = msgspec.json.encode(msgspec.structs.replace(snapshot, applied=()))
    yield b'{"applied":['
    for number, applied in enumerate(snapshot.applied):
        yield b"," * (number > 0) + msgspec.json.encode(applied)
    yield b"]," + rest[1:] if rest != b"{}" else b"]}"


class Journal:
    """Appends lines that outlive this process (not the host: a sync per item would halve speed)."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def add(self, line: bytes) -> None:
        """Append one line."""
        os.write(self._handle, line + b"\n")
