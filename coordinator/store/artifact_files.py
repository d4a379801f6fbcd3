"""Where artifact bytes lie: files named by their SHA-256, or memory in tests and the simulator.

Which artifacts exist, and who may see them, is in the table (`coordinator.store.artifacts`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class ArtifactFiles(Protocol):
    """Bytes by digest. The caller has checked that the digest is the bytes'."""

    def put(self, sha256: str, data: bytes) -> None:
        """Store the bytes; on return they are on disk. Storing them again does nothing."""
        ...

    def get(self, sha256: str) -> bytes | None:
        """Return the bytes, or None where they are lost."""
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


class DirectoryFiles:
    """Artifacts as files `ab/abcdef…` under one directory, readable by the owner alone."""

    def __init__(self, root: Path) -> None:
        self._root = root

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

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
