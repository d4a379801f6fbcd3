"""Walking a path by directory handles, so that nobody but root can send us elsewhere.

The rule. Every component is opened below the handle of the one before, never following a link.
A symbolic link on the way is followed by hand only if nobody but root or ourselves could have put
it there: the link belongs to root or to our effective user, AND the directory that holds it belongs
to one of them and is writable by nobody else (no group or other write bit), AND the way to that
directory is held: each directory above belongs to one of them, and is writable by nobody else or
sticky (whoever can write above a directory can move it, with the link in it, to where he likes).
Any other link refuses the walk. Real directories of other users are walked: they can only lead to
real directories.
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
def place_of(path: str) -> Generator[Place, None, None]:
    """Hold the directory that contains the path open, with what its way says about it.

    Raises:
        PortError: a link that someone else may have planted (code ELOOP); no such directory
            (ENOENT, ENOTDIR); or what else the system says.
    """
    above, name = split(path)
    try:
        place = Place(name)
    except OSError as error:
        raise refusal(error, "walk to", path) from error
    try:
        place.descend(above, path)
        yield place
    finally:
        os.close(place.handle)


@contextmanager
def parent_of(path: str) -> Generator[tuple[int, str], None, None]:
    """Hold the directory that contains the path open; gives its handle and the last name.

    Raises:
        PortError: as `place_of`.
    """
    with place_of(path) as place:
        yield place.handle, place.name


def refuse_if_swapped(handle: int, parent: int, name: str) -> None:
    """Refuse a name in a walked directory that is not the opened object's any more.

    Raises:
        OSError: EBUSY, or that there is no such name.
    """
    ours, there = os.fstat(handle), os.stat(name, dir_fd=parent, follow_symlinks=False)
    if (ours.st_ino, ours.st_dev) != (there.st_ino, there.st_dev):
        raise OSError(errno.EBUSY, "it changed meanwhile")


def sync_directory(handle: int) -> None:
    """Make the names in a walked directory durable."""
    # The walk opens for searching only, which is allowed in more places and cannot be synced.
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


class Place:
    """The directory that a walk has come to; whoever made it closes the handle.

    `public`: every user may search each directory on the way. `trusted`: only root or ourselves can
    change what the directory holds, or put another one in its place.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.handle = os.open("/", _DIRECTORY)
        self.public = True
        self.trusted = False
        self._held = True
        self._arrived()

    def descend(self, names: list[str], path: str) -> None:
        """Walk on; `path` is what the messages name.

        Raises:
            PortError: as `place_of`.
        """
        waiting = list(reversed(names))
        links = 0
        while waiting:
            name = waiting.pop()
            if name in {"", "."}:
                continue
            try:
                target = self._enter(name, path)
            except OSError as error:
                raise refusal(error, "walk to", path) from error
            if target is None:
                continue
            links += 1
            if links > MAX_LINKS:
                raise PortError(f"cannot walk to {path}: too many symbolic links", "ELOOP")
            waiting.extend(reversed(target.split("/")))

    def _enter(self, name: str, path: str) -> str | None:
        """Go into a directory; return where a link leads instead, having gone to its start."""
        following = _open_component(self.handle, name)
        if following is not None:
            self._go(following)
            return None
        target = self._trusted_target(name, path)
        if target.startswith("/"):
            self._go(os.open("/", _DIRECTORY))
        return target

    def _go(self, handle: int) -> None:
        os.close(self.handle)
        self.handle = handle
        self._arrived()

    def _arrived(self) -> None:
        found = os.fstat(self.handle)
        mode = found.st_mode
        ours = self._held and _is_ours(found.st_uid)
        self.trusted = ours and not mode & _OTHERS_WRITE
        # In a sticky directory others can add names, but not move what is root's or ours.
        self._held = self.trusted or (ours and bool(mode & stat.S_ISVTX))
        self.public = self.public and bool(mode & stat.S_IXOTH)

    def _trusted_target(self, name: str, path: str) -> str:
        # One handle on the link: what is judged is what is read, whatever is renamed meanwhile.
        link = os.open(name, _HANDLE, dir_fd=self.handle)
        try:
            found = os.fstat(link)
            if not stat.S_ISLNK(found.st_mode):
                raise PortError(f"cannot walk to {path}: `{name}` changed meanwhile", "ELOOP")
            if not (_is_ours(found.st_uid) and self.trusted):
                raise PortError(
                    f"cannot walk to {path}: `{name}` is a symbolic link that a user other than"
                    " root could have put there; name the path that it leads to",
                    "ELOOP",
                )
            return os.readlink("", dir_fd=link)
        finally:
            os.close(link)


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


def _is_ours(uid: int) -> bool:
    return uid in {0, os.geteuid()}
