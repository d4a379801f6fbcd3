"""Remembered digests of files: valid as long as one lstat shows that the file was not touched.

As in git's index there is one trap: a file changed within the same tick of the file system's clock
as it was read shows no difference later. So a digest is only remembered once the file's last change
lies clearly before the moment of reading.

What it cannot see: someone who may write to the file and has mapped it into memory before the
reading can change it afterwards without moving its times; and a file system whose server's clock is
behind ours can hide a change within that lag. A look with `verify_content` reads all: the cure.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

import msgspec

from protocol.errors import MALFORMED

# Kernel ticks are at most 10 ms apart (HZ=100): 50 ms is five of them.
FINE_NS = 50_000_000
# A time stamp with no fraction hints at a file system that counts seconds; FAT counts two.
COARSE_NS = 2_500_000_000
# An entry takes about 400 bytes: 100,000 managed files are 40 MB, and no host comes near that.
MAX_ENTRIES = 100_000
_FORMAT = "standfast/stat-cache/v1"


class Entry(NamedTuple):
    """What an lstat showed when the content was read, and the content's SHA-256."""

    ctime_ns: int
    mtime_ns: int
    size: int
    inode: int
    device: int
    digest: str


class _Stored(msgspec.Struct, array_like=True):
    format: str
    entries: dict[str, Entry]


class StatCache:
    """Digests by path. Not thread-safe: it belongs to whoever holds the ports."""

    def __init__(self, limit: int = MAX_ENTRIES) -> None:
        self._limit = limit
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, path: str, found: os.stat_result) -> str | None:
        """Return the digest if the file is the one that was read, and untouched since."""
        entry = self._entries.get(path)
        if entry is None:
            return None
        if (
            entry.ctime_ns == found.st_ctime_ns
            and entry.mtime_ns == found.st_mtime_ns
            and entry.size == found.st_size
            and entry.inode == found.st_ino
            and entry.device == found.st_dev
        ):
            return entry.digest
        return None

    def remember(self, path: str, found: os.stat_result, digest: str, now_ns: int) -> bool:
        """Remember a digest read at `now_ns`; return False if the file changed too recently.

        `found` is the stat before reading; the caller has checked that it is the same after.
        """
        if not stat.S_ISREG(found.st_mode) or racy(found, now_ns):
            self._entries.pop(path, None)
            return False
        if len(self._entries) >= self._limit and path not in self._entries:
            self._entries.pop(next(iter(self._entries)))
        self._entries[path] = Entry(
            found.st_ctime_ns,
            found.st_mtime_ns,
            found.st_size,
            found.st_ino,
            found.st_dev,
            digest,
        )
        return True

    def forget(self, path: str) -> None:
        """Forget what was remembered of a path."""
        self._entries.pop(path, None)

    def dump(self) -> bytes:
        """Return all entries as bytes for `load`."""
        return msgspec.msgpack.encode(_Stored(_FORMAT, self._entries))

    def load(self, data: bytes) -> bool:
        """Take over dumped entries; return False (and stay as it is) if the bytes are no dump."""
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
        except MALFORMED:
            return False
        if stored.format != _FORMAT or len(stored.entries) > self._limit:
            return False
        self._entries = stored.entries
        return True


def racy(found: os.stat_result, now_ns: int) -> bool:
    """Say whether a change at or after `now_ns` could leave the same time stamp behind."""
    # ctime alone counts: mtime can be set at will, and setting it moves ctime.
    changed = found.st_ctime_ns
    window = FINE_NS if changed % 1_000_000_000 else COARSE_NS
    return changed > now_ns - window
