"""Where artifact bytes lie: files named by their SHA-256, or memory in tests and the simulator.

Which artifacts exist, and who may see them, is in the table (`coordinator.store.artifacts`).
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

# Where uploads lie until they are whole: no two-letter directory of digests has this name.
_INCOMING = "incoming"


class Incoming(Protocol):
    """Bytes that come piece by piece; ended by `keep` or `drop`, and `size` is how many came."""

    size: int

    def add(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        ...

    def finish(self) -> str:
        """Return the SHA-256 of all bytes, which are on disk by then."""
        ...

    def keep(self, sha256: str) -> None:
        """Store them under the digest that `finish` returned; on return they are there for good."""
        ...

    def drop(self) -> None:
        """Forget them; nothing if they were kept."""
        ...


class ArtifactFiles(Protocol):
    """Bytes by digest. The caller has checked that the digest is the bytes'."""

    def put(self, sha256: str, data: bytes) -> None:
        """Store the bytes; on return they are on disk. Storing them again does nothing."""
        ...

    def get(self, sha256: str) -> bytes | None:
        """Return the bytes, or None where they are lost."""
        ...

    def part(self, sha256: str, offset: int, length: int) -> bytes | None:
        """Return some of the bytes, fewer or none at their end, or None where they are lost."""
        ...

    def begin(self) -> Incoming:
        """Begin to take in bytes whose digest is not known yet."""
        ...


class MemoryFiles:
    """Artifacts that end with the process."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def put(self, sha256: str, data: bytes) -> None:
        """Store the bytes."""
        self._data[sha256] = data

    def get(self, sha256: str) -> bytes | None:
        """Return the bytes, or None."""
        return self._data.get(sha256)

    def part(self, sha256: str, offset: int, length: int) -> bytes | None:
        """Return some of the bytes, or None."""
        data = self._data.get(sha256)
        return None if data is None else data[offset : offset + length]

    def begin(self) -> Incoming:
        """Begin to take in bytes."""
        return _MemoryIncoming(self)


class _MemoryIncoming:
    def __init__(self, files: MemoryFiles) -> None:
        self._files = files
        self._data = bytearray()
        self.size = 0

    def add(self, data: bytes) -> None:
        self._data += data
        self.size += len(data)

    def finish(self) -> str:
        return hashlib.sha256(self._data).hexdigest()

    def keep(self, sha256: str) -> None:
        self._files.put(sha256, bytes(self._data))

    def drop(self) -> None:
        self._data.clear()


class DirectoryFiles:
    """Artifacts as files `ab/abcdef…` under one directory, readable by the owner alone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Handed out in several threads; one step of this iterator is atomic.
        self._numbers = itertools.count()
        # Uploads of an earlier process will not be gone on with.
        for left in (root / _INCOMING).glob("*"):
            left.unlink(missing_ok=True)

    def put(self, sha256: str, data: bytes) -> None:
        """Store the bytes: a new file, on disk, then renamed into its place.

        Raises:
            OSError: the disk is full or the directory cannot be written.
        """
        path = self._path(sha256)
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One writer thread writes artifacts, so that one temporary name per digest is enough.
        part = path.with_suffix(".part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        part.rename(path)
        for directory in (path.parent, self._root):
            _sync(directory)

    def get(self, sha256: str) -> bytes | None:
        """Return the bytes, or None where the file is lost."""
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            return None

    def part(self, sha256: str, offset: int, length: int) -> bytes | None:
        """Return some of the bytes, or None where the file is lost."""
        try:
            with self._path(sha256).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            return None

    def begin(self) -> Incoming:
        """Begin to take in bytes.

        Raises:
            OSError: the disk is full or the directory cannot be written.
        """
        directory = self._root / _INCOMING
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _FileIncoming(directory / str(next(self._numbers)), self._path)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256


class _FileIncoming:
    def __init__(self, part: Path, place: Callable[[str], Path]) -> None:
        self._part = part
        self._place = place
        self._digest = hashlib.sha256()
        self.size = 0
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> str:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def keep(self, sha256: str) -> None:
        path = self._place(sha256)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._part.rename(path)
        for directory in (path.parent, path.parent.parent):
            _sync(directory)

    def drop(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
