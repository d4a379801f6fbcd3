"""Watching directories through Linux inotify(7): add watches, read what changed. No decisions.

A name that changed only says "look again"; a lost event or a full table is said, never hidden.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path
from typing import Protocol, cast

import msgspec

from agent.kernel_events import KernelEvents

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF, UNMOUNT, OVERFLOW, IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
ONLYDIR = 0x0100_0000
# Something happened to a name in the directory.
ENTRIES = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
# The directory itself went away or elsewhere: costs no wake-up as long as it stays.
SELF = DELETE_SELF | MOVE_SELF
_HEAD = struct.Struct("iIII")
# One read: 64 KiB hold 200 events with the longest names.
_BUFFER = 65_536
# What one agent takes for itself: a watch is 1 KiB of the kernel's memory, so 64 MiB at most.
BUDGET = 65_536
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")


class WatchLimit(Exception):  # noqa: N818 - it is a condition of the host, not a fault
    """There is no room for another watch: in the kernel, or in what we allow ourselves."""


class Event(msgspec.Struct, frozen=True):
    """One line from the kernel; `name` is the entry of the watched directory, "" for itself."""

    watch: int
    mask: int
    name: str


class _Libc(Protocol):
    def inotify_init1(self, flags: int) -> int: ...
    def inotify_add_watch(self, fd: int, path: bytes, mask: int) -> int: ...
    def inotify_rm_watch(self, fd: int, number: int) -> int: ...


def _libc() -> _Libc:
    # A CDLL looks functions up by name, which no type describes.
    return cast("_Libc", ctypes.CDLL(None, use_errno=True))


def budget(limit: Path = _LIMIT) -> int:
    """Return how many watches to use: half of what the host allows a user, at most `BUDGET`.

    The limit is one for all programs of a user: the other half is theirs.
    """
    try:
        return min(BUDGET, max(1, int(limit.read_text("ascii")) // 2))
    except (OSError, ValueError):
        return BUDGET


class Inotify(KernelEvents):
    """One inotify descriptor with its watches; owned by the drift service.

    Watches are set in arrangements: what was not added between `begin` and `finish` is taken away
    at the end. A descriptor is kept for long, because closing one takes the kernel milliseconds.
    """

    def __init__(self, room: int = BUDGET) -> None:
        """Open a descriptor that takes at most `room` watches.

        Raises:
            OSError: the kernel gives none.
        """
        self._libc = _libc()
        self._room = room
        self._wanted: dict[int, int] = {}
        self._held: set[int] = set()
        fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        super().__init__(fd)

    def begin(self) -> None:
        """Begin another arrangement; the watches of the last one stay until `finish`."""
        self._held.update(self._wanted)
        self._wanted = {}

    def finish(self) -> None:
        """Take away the watches that were not added again."""
        for number in self._held.difference(self._wanted):
            # One whose directory is gone was taken away by the kernel; that is no error.
            self._libc.inotify_rm_watch(self._fd, number)
        self._held = set(self._wanted)

    def add(self, path: str, mask: int) -> int | None:
        """Watch a directory (masks of one directory add up) and return its number.

        None if there is no directory at the path.

        Raises:
            WatchLimit: there is no room for another watch.
        """
        number = self._set(path, mask)
        if number is None:
            return None
        known = self._wanted.get(number)
        if known is None and len(self._wanted) >= self._room:
            if number not in self._held:
                self._libc.inotify_rm_watch(self._fd, number)
            raise WatchLimit(path)
        both = mask | (known or 0)
        if both != mask:
            self._set(path, both)
        self._wanted[number] = both
        return number

    def _set(self, path: str, mask: int) -> int | None:
        for last in (False, True):
            number = self._libc.inotify_add_watch(self._fd, os.fsencode(path), mask | ONLYDIR)
            if number >= 0:
                return number
            if ctypes.get_errno() not in {errno.ENOSPC, errno.ENOMEM}:
                return None
            if not last:
                # The last arrangement may hold what this one needs.
                self.finish()
        raise WatchLimit(path)

    def is_link(self, path: str) -> bool:
        """Say whether a path is a symbolic link."""
        return Path(path).is_symlink()

    def read(self) -> list[Event]:
        """Return what has happened so far; empty if nothing, or closed meanwhile."""
        return parse(self.take(_BUFFER))


def parse(data: bytes) -> list[Event]:
    """Return the events in a buffer that the kernel filled."""
    events: list[Event] = []
    at = 0
    while at + _HEAD.size <= len(data):
        watch, mask, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        name = data[at : at + length].split(b"\0", 1)[0]
        events.append(Event(watch, mask, os.fsdecode(name)))
        at += length
    return events
