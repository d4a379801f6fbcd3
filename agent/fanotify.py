"""Asking Linux fanotify(7) which process touched a name in a directory. No decisions.

It needs CAP_SYS_ADMIN and a file system with file handles; without either `agent.inotify` alone
says that something changed, and nobody says who did it. What a process is, is `agent.processes`.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Protocol, cast

import msgspec

from agent.kernel_events import KernelEvents

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF, OVERFLOW = 0x400, 0x800, 0x4000
_ON_CHILD, _ON_DIRECTORY = 0x0800_0000, 0x4000_0000
_ENTRIES = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | _ON_CHILD
_SELF = DELETE_SELF | MOVE_SELF | _ON_DIRECTORY
# fanotify_init(2): FAN_CLASS_NOTIF is 0; FAN_REPORT_DFID_NAME is FAN_REPORT_DIR_FID and _NAME.
_INIT = 0x1 | 0x2 | 0x400 | 0x800
_MARK_ADD, _MARK_ONLYDIR, _MARK_FLUSH = 0x1, 0x8, 0x80
_NAMED = 2
_AT_FDCWD, _AT_HANDLE_FID, _AT_SYMLINK_FOLLOW = -100, 0x200, 0x400
_MAX_HANDLE = 128
_HEAD = struct.Struct("=IBBHQii")
_INFO = struct.Struct("=BxH")
_PLACE = struct.Struct("=IIIi")
# One read: 64 KiB hold 1,000 events. The kernel keeps 16,384 and then says that it lost some.
_BUFFER = 65_536

# A file system's number with the handle of a directory in it.
Handle = bytes


class Touch(msgspec.Struct, frozen=True):
    """One event: a process touched a name in a marked directory; "" is the directory itself."""

    directory: Handle
    name: str
    pid: int
    mask: int


class _Libc(Protocol):
    def fanotify_init(self, flags: int, event_flags: int) -> int: ...
    def fanotify_mark(
        self, fd: int, flags: int, mask: ctypes.c_uint64, dirfd: int, path: bytes
    ) -> int: ...
    def name_to_handle_at(
        self, dirfd: int, path: bytes, handle: object, mount: object, flags: int
    ) -> int: ...


def _libc() -> _Libc:
    # A CDLL looks functions up by name, which no type describes.
    return cast("_Libc", ctypes.CDLL(None, use_errno=True))


class Fanotify(KernelEvents):
    """One fanotify group; owned by the drift service."""

    def __init__(self) -> None:
        """Open a group.

        Raises:
            OSError: the kernel gives none: not permitted (EPERM), or too old (EINVAL, ENOSYS).
        """
        self._libc = _libc()
        try:
            fd = self._libc.fanotify_init(_INIT, os.O_RDONLY | os.O_CLOEXEC)
        except AttributeError as error:
            raise OSError(0, "this system has no fanotify") from error
        if fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"fanotify: {os.strerror(code)}")
        super().__init__(fd)

    def add(self, path: str, *, entries: bool) -> Handle | None:
        """Mark a directory and return its handle; None if its file system gives no handles.

        With `entries` the names in it count, without it only that it is moved or deleted.
        """
        handle = _handle_of(self._libc, path)
        mask = ctypes.c_uint64(_SELF | _ENTRIES if entries else _SELF)
        flags = _MARK_ADD | _MARK_ONLYDIR
        name = os.fsencode(path)
        done = self._libc.fanotify_mark(self._fd, flags, mask, _AT_FDCWD, name) == 0
        return handle if done else None

    def clear(self) -> None:
        """Take away all marks, also of directories that have gone elsewhere meanwhile."""
        self._libc.fanotify_mark(self._fd, _MARK_FLUSH, ctypes.c_uint64(0), _AT_FDCWD, b"/")

    def read(self) -> list[Touch]:
        """Return what has happened so far; empty if nothing, or closed meanwhile."""
        return parse(self.take(_BUFFER))


def parse(data: bytes) -> list[Touch]:
    """Return the events in a buffer that the kernel filled; those without a place are left out."""
    touches: list[Touch] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, _, _, head, mask, _, pid = _HEAD.unpack_from(data, at)
        if length < _HEAD.size:
            break
        place = _place(data[at + head : at + length])
        if place is not None:
            touches.append(Touch(*place, pid, mask))
        at += length
    return touches


def _place(data: bytes) -> tuple[Handle, str] | None:
    at = 0
    while at + _INFO.size <= len(data):
        kind, length = _INFO.unpack_from(data, at)
        if length < _INFO.size:
            return None
        if kind == _NAMED:
            first, second, size, form = _PLACE.unpack_from(data, at + _INFO.size)
            body = at + _INFO.size + _PLACE.size
            name = data[body + size : at + length].split(b"\0", 1)[0]
            found = "" if name == b"." else os.fsdecode(name)
            return _key(first | second << 32, form, data[body : body + size]), found
        at += length
    return None


def _key(filesystem: int, form: int, handle: bytes) -> Handle:
    return struct.pack("=Qi", filesystem & 0xFFFF_FFFF_FFFF_FFFF, form) + handle


def _handle_of(libc: _Libc, path: str) -> Handle | None:
    mount = ctypes.c_int()
    # The second form works where a handle need not be opened again, since Linux 6.5.
    for flags in (_AT_SYMLINK_FOLLOW, _AT_SYMLINK_FOLLOW | _AT_HANDLE_FID):
        buffer = ctypes.create_string_buffer(8 + _MAX_HANDLE)
        struct.pack_into("=Ii", buffer, 0, _MAX_HANDLE, 0)
        name = os.fsencode(path)
        if libc.name_to_handle_at(_AT_FDCWD, name, buffer, ctypes.byref(mount), flags) == 0:
            size, form = struct.unpack_from("=Ii", buffer, 0)
            try:
                filesystem = os.statvfs(path).f_fsid
            except OSError:
                return None
            return _key(filesystem, form, buffer.raw[8 : 8 + size])
    return None
