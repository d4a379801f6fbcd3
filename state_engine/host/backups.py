"""Kept copies of overwritten files: a private directory, one file per content, named by SHA-256."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from state_engine.host import walk
from state_engine.host.files import LinuxFiles
from state_engine.ports import MAX_CONTENT, PortError


class LinuxBackups:
    """Copies below a directory that only we can read."""

    def __init__(self, directory: Path, files: LinuxFiles, limit: int = MAX_CONTENT) -> None:
        self._limit = limit
        self._directory = directory
        self._files = files

    def keep(self, path: str) -> str:
        """Keep a copy of the regular file at the path and return its SHA-256.

        Raises:
            PortError: it cannot be read or stored, or is larger than `MAX_CONTENT` (code EFBIG).
        """
        data = self._files.read(path, self._limit + 1)
        if len(data) > self._limit:
            raise PortError(
                f"{path} is larger than {self._limit} bytes; move it away first", "EFBIG"
            )
        digest = hashlib.sha256(data).hexdigest()
        target = self._directory / digest
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if target.exists():
                return digest
        except OSError as error:
            raise walk.refusal(error, "keep a copy of", path) from error
        self._files.write(str(target), data, 0o600, os.geteuid(), os.getegid())
        return digest

    def content(self, digest: str) -> bytes:
        """Return a kept copy, checked against its name; raises PortError if it is not there."""
        target = self._directory / digest
        data = self._files.read(str(target), self._limit)
        if hashlib.sha256(data).hexdigest() != digest:
            raise PortError(f"the kept copy {digest} is damaged", "EIO")
        return data
