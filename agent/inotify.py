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
import trio

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF, UNMOUNT, OVERFLOW, IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
ONLYDIR, MASK_ADD = 0x0100_0000, 0x2000_0000
# Something happened to a name in the directory.
ENTRIES = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
# The directory itself went away or elsewhere: costs no wake-up as long as it stays.
SELF = DELETE_SELF | MOVE_SELF
_HEAD = struct.Struct("iIII")
# One read: 64 KiB hold 200 events with the longest names.
_BUFFER = 65_536


class WatchLimit(Exception):  # noqa: N818 - it is a condition of the host, not a fault
    """The kernel has no room for another watch."""


class Event(msgspec.Struct, frozen=True):
    """One line from the kernel; `name` is the entry of the watched directory, "" for itself."""

    watch: int
    mask: int
    name: str


class _Libc(Protocol):
    def inotify_init1(self, flags: int) -> int: ...
    def inotify_add_watch(self, fd: int, path: bytes, mask: int) -> int: ...


def _libc() -> _Libc:
    # A CDLL looks functions up by name, which no type describes.
    return cast("_Libc", ctypes.CDLL(None, use_errno=True))


class Inotify:
    """One inotify descriptor; owned by the drift service."""

    def __init__(self) -> None:
        """Open a descriptor.

        Raises:
            OSError: the kernel gives none.
        """
        self._libc = _libc()
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")

    def add(self, path: str, mask: int) -> int | None:
        """Watch a directory (masks of one directory add up) and return its number.

        None if there is no directory at the path.

        Raises:
            WatchLimit: the kernel's limit is reached.
        """
        flags = mask | ONLYDIR | MASK_ADD
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(path), flags)
        if number >= 0:
            return number
        code = ctypes.get_errno()
        if code in {errno.ENOSPC, errno.ENOMEM}:
            raise WatchLimit(path)
        return None

    def is_link(self, path: str) -> bool:
        """Say whether a path is a symbolic link."""
        return Path(path).is_symlink()

    async def wait(self) -> None:
        """Wait until there is something to read.

        Raises:
            trio.ClosedResourceError: it was closed, by us.
        """
        if self._fd < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_readable(self._fd)

    def read(self) -> list[Event]:
        """Return what has happened so far; empty if nothing, or closed meanwhile."""
        if self._fd < 0:
            # Its number may be somebody else's by now.
            return []
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return []
        return parse(data)

    def close(self) -> None:
        """Close the descriptor and with it all watches."""
        trio.lowlevel.notify_closing(self._fd)
        os.close(self._fd)
        self._fd = -1


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
