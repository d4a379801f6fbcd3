"""One object of the file system by an open handle: opened, checked, filled and named with care.

What belongs to one call of the file port is `host.files`; the walk to a directory is `host.walk`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat as st
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from state_engine.host import walk
from state_engine.ports import MAX_CONTENT, FileType, PortError, Stat

CHUNK = 1_048_576
# A handle that names an object without opening it, and one that lists a directory.
HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LABEL, _ACL = "security.selinux", "system.posix_acl_access"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def told(doing: str, path: str) -> Generator[None, None, None]:
    """Turn what the system refuses into a PortError that says what was being done to what."""
    try:
        yield
    except OSError as error:
        raise walk.refusal(error, doing, path) from error


@contextmanager
def closing(handle: int) -> Generator[int, None, None]:
    """Close a handle at the end."""
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def opened(path: str) -> Generator[tuple[int, os.stat_result, walk.Place], None, None]:
    """Open a regular file for reading; a pipe or device in its place is refused unopened."""
    with walk.place_of(path) as place:
        with told("open", path):
            refuse_unless_file(place.handle, place.name, path, must_exist=True)
            handle = os.open(place.name, _READ, dir_fd=place.handle)
        with closing(handle):
            found = os.fstat(handle)
            if not st.S_ISREG(found.st_mode):
                raise PortError(f"{path} is not a regular file", "EINVAL")
            yield handle, found, place


def up_to(handle: int, limit: int) -> bytes:
    """Return up to `limit` bytes from where the handle stands."""
    parts: list[bytes] = []
    while limit > 0 and (chunk := os.read(handle, min(limit, CHUNK))):
        parts.append(chunk)
        limit -= len(chunk)
    return b"".join(parts)


def holds_nothing(handle: int) -> bool:
    """Say whether a directory is empty."""
    with os.scandir(handle) as entries:
        return next(entries, None) is None


def too_large(path: str) -> PortError:
    """Return the refusal of a file that is no configuration."""
    return PortError(f"{path} is larger than {MAX_CONTENT} bytes", "EFBIG")


@contextmanager
def attributes_of(path: str) -> Generator[int, None, None]:
    """Hold a file or directory whose attributes may be set without hitting another one.

    A user who may write to the directory could have put a hard link to somebody else's file there.
    """
    with (
        walk.place_of(path) as place,
        told("change", path),
        closing(os.open(place.name, HANDLE, dir_fd=place.handle)) as handle,
    ):
        found = os.fstat(handle)
        if not st.S_ISREG(found.st_mode) and not st.S_ISDIR(found.st_mode):
            raise PortError(f"{path} is neither a file nor a directory", "EINVAL")
        linked = st.S_ISREG(found.st_mode) and found.st_nlink > 1
        if linked and not place.trusted:
            raise PortError(
                f"{path} has hard links and others can write to its directory or above it;"
                " remove the other links",
                "EMLINK",
            )
        yield handle


def chmod(handle: int, mode: int) -> None:
    """Set the permission bits of what a handle names, opened or not."""
    # An O_PATH handle refuses fchmod; its name below /proc is the same object, not a new walk.
    Path(f"/proc/self/fd/{handle}").chmod(mode)


def own(handle: int, uid: int, gid: int) -> None:
    """Set owner and group of what a handle names, opened or not; -1 keeps one of them."""
    if uid != -1 or gid != -1:
        os.chown(f"/proc/self/fd/{handle}", uid, gid)


def refuse_unless_file(parent: int, name: str, path: str, *, must_exist: bool = False) -> None:
    """Refuse what is no regular file; nothing at all only if it must exist."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        if must_exist:
            raise
        return
    if not st.S_ISREG(found.st_mode):
        raise PortError(
            f"{path} is not a regular file", "EISDIR" if st.S_ISDIR(found.st_mode) else "EINVAL"
        )


def refuse_unless_link(parent: int, name: str, path: str) -> None:
    """Refuse what is there and is no symbolic link."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not st.S_ISLNK(found.st_mode):
        raise PortError(f"{path} is not a symbolic link", "EEXIST")


def temporary_name(name: str) -> str:
    """Return the name under which a file is written before it takes its place."""
    # The same for every write of one file, so what a kill left behind goes with the next write.
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return f".standfast-{digest[:24]}.tmp"


def create(parent: int, temporary: str) -> int:
    """Return a handle on a new private file; what a kill left under the name goes first."""
    try:
        return os.open(temporary, _CREATE, 0o600, dir_fd=parent)
    except FileExistsError:
        os.unlink(temporary, dir_fd=parent)
        return os.open(temporary, _CREATE, 0o600, dir_fd=parent)


def fill(handle: int, content: bytes, mode: int, uid: int, gid: int) -> None:
    """Write a new file whole, with owner and mode, and make it durable."""
    rest = memoryview(content)
    while rest:
        written = os.write(handle, rest)
        if written <= 0:
            raise OSError(errno.EIO, "nothing was written")
        rest = rest[written:]
    # Owner before mode: a change of owner clears the set-user-id bit.
    os.fchown(handle, uid, gid)
    os.fchmod(handle, mode)
    os.fsync(handle)


def take_over_labels(parent: int, name: str, handle: int, uid: int) -> None:
    """Give a new file the security label, ACL and user attributes of the file that it replaces.

    ACL and user attributes only if the owner stays the same: whoever owned the file before could
    have given himself access. Capabilities go with the content that they were given to. What the
    file system does not take is left out.
    """
    try:
        old = os.open(name, _READ, dir_fd=parent)
    except OSError:
        return
    with closing(old), suppress(OSError):
        owner = os.geteuid() if uid == -1 else uid
        same = os.fstat(old).st_uid == owner
        for label in os.listxattr(old):
            if label == _LABEL or (same and (label == _ACL or label.startswith("user."))):
                with suppress(OSError):
                    os.setxattr(handle, label, os.getxattr(old, label))


def seen(found: os.stat_result) -> Stat:
    """Return what the system tells of an object, as the file port says it."""
    kind: FileType = "other"
    if st.S_ISREG(found.st_mode):
        kind = "file"
    elif st.S_ISDIR(found.st_mode):
        kind = "directory"
    elif st.S_ISLNK(found.st_mode):
        kind = "symlink"
    return Stat(
        kind,
        st.S_IMODE(found.st_mode),
        found.st_uid,
        found.st_gid,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
        found.st_dev,
    )
