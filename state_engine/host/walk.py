"""Walking a path by directory handles, so that nobody but root can send us elsewhere.

The rule. Every component is opened below the handle of the one before, never following a link.
A symbolic link on the way is followed by hand only if nobody but root or ourselves could have put
it there: the link belongs to root or to our effective user, AND the directory that holds it belongs
to one of them and is writable by nobody else (no group or other write bit). Any other link refuses
the walk. Real directories of other users are walked: they can only lead to real directories.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager

from state_engine.ports import PortError

# The kernel's own limit on links in one walk (path_resolution(7)).
MAX_LINKS = 40
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def refusal(error: OSError, doing: str, path: str) -> PortError:
    """Return a PortError that says what was being done to what."""
    code = errno.errorcode.get(error.errno or 0, "")
    return PortError(f"cannot {doing} {path}: {error.strerror or error}", code)


def split(path: str) -> tuple[list[str], str]:
    """Return the components above the last one, and the last one.

    Raises:
        PortError: the path is not absolute and normalised.
    """
    parts = path.split("/")
    if parts[0] or len(parts) < 2 or "\0" in path:
        raise PortError(f"{path!r} is not an absolute path", "EINVAL")
    if any(part in {"", ".", ".."} for part in parts[1:]):
        raise PortError(f"{path!r} holds an empty, `.` or `..` component", "EINVAL")
    return parts[1:-1], parts[-1]


@contextmanager
def parent_of(path: str) -> Generator[tuple[int, str], None, None]:
    """Hold the directory that contains the path open; gives its handle and the last name.

    Raises:
        PortError: a link that someone else may have planted (code ELOOP); no such directory
            (ENOENT, ENOTDIR); or what else the system says.
    """
    above, name = split(path)
    place = _Place()
    try:
        place.descend(above, path)
        yield place.handle, name
    finally:
        os.close(place.handle)


def sync_directory(handle: int) -> None:
    """Make the names in a walked directory durable."""
    # The walk opens for searching only, which is allowed in more places and cannot be synced.
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


def trusted_directory(handle: int) -> bool:
    """Say whether only root or ourselves can change what the open directory holds."""
    return _ours_alone(os.fstat(handle))


class _Place:
    """The directory that a walk has come to; whoever made it closes the handle."""

    def __init__(self) -> None:
        self.handle = os.open("/", _DIRECTORY)

    def descend(self, names: list[str], path: str) -> None:
        waiting = list(reversed(names))
        links = 0
        while waiting:
            name = waiting.pop()
            if name in {"", "."}:
                continue
            try:
                following = _open_component(self.handle, name)
            except OSError as error:
                raise refusal(error, "walk to", path) from error
            if following is not None:
                self._go(following)
                continue
            links += 1
            if links > MAX_LINKS:
                raise PortError(f"cannot walk to {path}: too many symbolic links", "ELOOP")
            try:
                target = _trusted_target(self.handle, name, path)
            except OSError as error:
                raise refusal(error, "walk to", path) from error
            waiting.extend(reversed(target.split("/")))
            if target.startswith("/"):
                self._go(os.open("/", _DIRECTORY))

    def _go(self, handle: int) -> None:
        os.close(self.handle)
        self.handle = handle


def _open_component(handle: int, name: str) -> int | None:
    """Return a handle on a directory, or None if a symbolic link stands there."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=handle)
    except OSError as error:
        # O_DIRECTORY with O_NOFOLLOW says ENOTDIR for a link to a directory; older kernels ELOOP.
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        found = os.stat(name, dir_fd=handle, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            raise
        return None


def _trusted_target(handle: int, name: str, path: str) -> str:
    # One handle on the link itself: what is judged is what is read, whatever is renamed meanwhile.
    link = os.open(name, _HANDLE, dir_fd=handle)
    try:
        found = os.fstat(link)
        if not stat.S_ISLNK(found.st_mode):
            raise PortError(f"cannot walk to {path}: `{name}` changed meanwhile", "ELOOP")
        if not (_is_ours(found.st_uid) and trusted_directory(handle)):
            raise PortError(
                f"cannot walk to {path}: `{name}` is a symbolic link that a user other than root"
                " could have put there",
                "ELOOP",
            )
        return os.readlink("", dir_fd=link)
    finally:
        os.close(link)


def _ours_alone(found: os.stat_result) -> bool:
    return _is_ours(found.st_uid) and not found.st_mode & _OTHERS_WRITE


def _is_ours(uid: int) -> bool:
    return uid in {0, os.geteuid()}
