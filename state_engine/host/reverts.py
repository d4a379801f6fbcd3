"""How the latest operations are taken back: one private file of lines for each, on disk.

What a line says is the engine's; here it is only kept, and the oldest operations are forgotten.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path

from state_engine.host import handles, walk
from state_engine.host.files import LinuxFiles
from state_engine.ports import PortError

# Who has not taken an operation back for twenty more does not take it back by its steps.
KEPT = 20
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 65_536
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class LinuxReverts:
    """Lines by operation, below a directory that only we can read."""

    def __init__(self, directory: Path, files: LinuxFiles) -> None:
        self._directory = directory
        self._files = files
        self._last: str | None = None

    def add(self, operation_id: str, line: bytes, *, durable: bool) -> None:
        """Append a line; `durable`: it outlives the host's power.

        Raises:
            PortError: it cannot be kept.
        """
        path = self._path(operation_id)
        try:
            if operation_id != self._last:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._make_room(path)
                self._last = operation_id
            self._append(path, line + b"\n", durable=durable)
        except OSError as error:
            raise walk.refusal(error, "note how to take back", operation_id) from error

    def lines(self, operation_id: str) -> tuple[bytes, ...]:
        """Return the whole lines of an operation; () if nothing of it is kept."""
        path = self._path(operation_id)
        try:
            # All of it, however long: a way back that lacks its end leads nowhere.
            data = self._files.read(str(path), sys.maxsize)
        except PortError as error:
            if error.code == "ENOENT":
                return ()
            raise
        return tuple(data.split(b"\n")[:-1])

    def operations(self) -> tuple[str, ...]:
        """Return the operations of which something is kept, the oldest first."""
        return tuple(path.stem for path in self._held())

    def _held(self) -> list[Path]:
        if not self._directory.is_dir():
            return []
        found = [path for path in self._directory.iterdir() if path.suffix == ".jsonl"]
        return sorted(found, key=lambda path: (path.lstat().st_mtime_ns, path.name))

    def _make_room(self, path: Path) -> None:
        others = [other for other in self._held() if other != path]
        for old in others[: max(0, len(others) - KEPT + 1)]:
            old.unlink(missing_ok=True)

    def _append(self, path: Path, data: bytes, *, durable: bool) -> None:
        new = durable and not path.exists()
        with handles.closing(os.open(path, _APPEND, 0o600)) as handle:
            size = _whole(handle)
            if os.write(handle, data) != len(data):
                # Half a line would spoil the next one, and with it the whole log.
                os.ftruncate(handle, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                os.fsync(handle)
        if new:
            with handles.closing(os.open(self._directory, handles.LIST)) as handle:
                os.fsync(handle)

    def _path(self, operation_id: str) -> Path:
        if not _NAME.fullmatch(operation_id):
            raise PortError(f"{operation_id!r} is not the id of an operation", "EINVAL")
        return self._directory / f"{operation_id}.jsonl"


def _whole(handle: int) -> int:
    """Cut off what a fall of the host left of a last line; return the size in bytes."""
    size = os.fstat(handle).st_size
    if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
        return size
    end = 0
    for start in range((size - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
        at = os.pread(handle, min(_BLOCK, size - start), start).rfind(b"\n")
        if at >= 0:
            end = start + at + 1
            break
    os.ftruncate(handle, end)
    return end
