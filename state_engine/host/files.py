"""The file port on Linux. Every change goes through a walked directory handle (`host.walk`)."""

from __future__ import annotations

import errno
import hashlib
import os
import stat as st
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from state_engine.host import clock, walk
from state_engine.host.stat_cache import StatCache
from state_engine.ports import MAX_CONTENT, MAX_NAMES, FileType, PortError, Stat

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1_048_576
_KINDS: dict[FileType, int] = {"file": st.S_IFREG, "directory": st.S_IFDIR}


class LinuxFiles:
    """Files and directories of this host.

    `show_private`: what is read to be shown goes to nobody but the user we run as.
    """

    def __init__(self, cache: StatCache | None = None, *, show_private: bool = False) -> None:
        self._show_private = show_private
        self.cache = StatCache() if cache is None else cache
        self._find = self.cache.find
        self._euid = os.geteuid()

    def stat(self, path: str) -> Stat | None:
        """Return what stands at the path, or None; never follows a final symlink."""
        try:
            with walk.parent_of(path) as (parent, name), _told("look at", path):
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except PortError as error:
            if error.code in {"ENOENT", "ENOTDIR"}:
                return None
            raise
        return _stat(found)

    def matches(
        self,
        path: str,
        kind: FileType,
        mode: int | None,
        uid: int | None,
        gid: int | None,
        digest: str | None,
    ) -> bool:
        """Return True only if one `lstat` and the stat cache show that all of it holds.

        The plain lstat may pass a link on its way. It then has to show the very inode, times and
        size of the file that a safe walk has read before; attributes alone are seen, not changed.
        """
        try:
            found = os.lstat(path)
        except (OSError, ValueError):
            return False
        bits = found.st_mode
        if mode is None:
            if st.S_IFMT(bits) != _KINDS.get(kind):
                return False
        elif bits != _KINDS.get(kind, 0) | mode:
            return False
        return (
            (uid is None or found.st_uid == uid)
            and (gid is None or found.st_gid == gid)
            and (digest is None or self._find(path, found) == digest)
        )

    def digest(self, path: str, *, verify: bool = False) -> str:
        """Return the SHA-256 of a regular file; from the stat cache if allowed and unchanged."""
        with _opened(path) as (handle, before, _):
            if before.st_size > MAX_CONTENT:
                raise _too_large(path)
            if not verify and (known := self.cache.find(path, before)) is not None:
                return known
            # Read the clock first: a write during the reading then counts as too recent.
            now_ns = clock.file_clock_ns()
            sha = hashlib.sha256()
            size = 0
            with _told("read", path):
                while chunk := os.read(handle, _CHUNK):
                    sha.update(chunk)
                    size += len(chunk)
                    if size > MAX_CONTENT:  # it grows while it is read, perhaps for ever
                        raise _too_large(path)
                after = os.fstat(handle)
            digest = sha.hexdigest()
            if after.st_ctime_ns == before.st_ctime_ns and after.st_size == before.st_size:
                self.cache.remember(path, before, digest, now_ns)
            return digest

    def read(self, path: str, limit: int) -> bytes:
        """Return up to `limit` bytes of a regular file."""
        with _opened(path) as (handle, _, _), _told("read", path):
            return _up_to(handle, limit)

    def read_public(self, path: str, limit: int) -> bytes | None:
        """Return up to `limit` bytes of a regular file if every user could read them, else None."""
        with _opened(path) as (handle, found, place), _told("read", path):
            public = place.public and found.st_mode & st.S_IROTH
            return _up_to(handle, limit) if public or self._show_private else None

    def write(
        self,
        path: str,
        content: bytes,
        mode: int,
        uid: int,
        gid: int,
        accept: Callable[[str], None] | None = None,
    ) -> None:
        """Replace the file atomically: temporary sibling, fsync, rename, fsync of the directory.

        -1 for `uid` or `gid` means our own. On any error the old file stands as it was.
        """
        with walk.parent_of(path) as (parent, name), _told("write", path):
            _refuse_unless_file(parent, name, path)
            temporary = temporary_name(name)
            handle = _create(parent, temporary)
            try:
                with _closing(handle):
                    _fill(handle, content, mode, uid, gid)
                    (accept or _accept_all)(f"{path.rpartition('/')[0]}/{temporary}")
                    walk.refuse_if_swapped(handle, parent, temporary)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise
            finally:
                self.cache.forget(path)
            walk.sync_directory(parent)

    def make_directory(self, path: str, mode: int, uid: int, gid: int) -> None:
        """Make one directory whose parent exists; it is private until owner and mode are set."""
        with walk.parent_of(path) as (parent, name), _told("make directory", path):
            os.mkdir(name, 0o700, dir_fd=parent)
            try:
                with _closing(os.open(name, _LIST, dir_fd=parent)) as handle:
                    self._refuse_unless_new(handle, path)
                    os.fchown(handle, uid, gid)
                    os.fchmod(handle, mode)
            except BaseException:
                with suppress(OSError):
                    os.rmdir(name, dir_fd=parent)
                raise
            walk.sync_directory(parent)

    def read_link(self, path: str) -> str:
        """Return where a symbolic link leads, as it is written there."""
        with walk.parent_of(path) as (parent, name), _told("read", path):
            return os.readlink(name, dir_fd=parent)

    def make_symlink(self, path: str, target: str, uid: int, gid: int) -> None:
        """Put a symbolic link in its place atomically: temporary sibling, rename, fsync.

        -1 for `uid` or `gid` means our own.
        """
        with walk.parent_of(path) as (parent, name), _told("link", path):
            _refuse_unless_link(parent, name, path)
            temporary = temporary_name(name)
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)
            os.symlink(target, temporary, dir_fd=parent)
            try:
                self._own_link(parent, temporary, uid, gid)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=parent)
                raise
            finally:
                self.cache.forget(path)
            walk.sync_directory(parent)

    def set_mode(self, path: str, mode: int) -> None:
        """Set the permission bits of a file or directory that is not a symlink."""
        with _attributes_of(path) as handle:
            _chmod(handle, mode)

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group; -1 keeps one of them."""
        with _attributes_of(path) as handle:
            _own(handle, uid, gid)

    def remove(self, path: str) -> None:
        """Remove a file, symlink or empty directory."""
        with walk.parent_of(path) as (parent, name), _told("remove", path):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if st.S_ISDIR(found.st_mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)
            self.cache.forget(path)
            walk.sync_directory(parent)

    def is_empty(self, path: str) -> bool:
        """Say whether a directory holds nothing."""
        with walk.parent_of(path) as (parent, name), _told("list", path):
            handle = os.open(name, _LIST, dir_fd=parent)
            with _closing(handle):
                return _holds_nothing(handle)

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names in a directory, sorted."""
        found: list[str] = []
        with (
            walk.parent_of(path) as (parent, name),
            _told("list", path),
            _closing(os.open(name, _LIST, dir_fd=parent)) as handle,
            os.scandir(handle) as entries,
        ):
            for entry in entries:
                found.append(entry.name)
                if len(found) > MAX_NAMES:
                    raise PortError(f"{path} holds more than {MAX_NAMES} names", "EFBIG")
        return tuple(sorted(found))

    def _own_link(self, parent: int, name: str, uid: int, gid: int) -> None:
        if uid == gid == -1:
            return
        with _closing(os.open(name, _HANDLE, dir_fd=parent)) as handle:
            # Whoever can write to the directory may have put a hard link to somebody's file there.
            found = os.fstat(handle)
            if not st.S_ISLNK(found.st_mode) or found.st_uid != self._euid or found.st_nlink != 1:
                raise OSError(errno.EBUSY, "the link changed meanwhile")
            _own(handle, uid, gid)

    def _refuse_unless_new(self, handle: int, path: str) -> None:
        # Whoever can write to the parent may have put another directory in the new one's place. An
        # empty one of our own that nobody else can enter is as good as the one that we made.
        found = os.fstat(handle)
        private = found.st_uid == self._euid and not found.st_mode & 0o077
        if not (private and _holds_nothing(handle)):
            raise PortError(f"{path} changed meanwhile: it is not the directory just made", "EBUSY")


@contextmanager
def _told(doing: str, path: str) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        raise walk.refusal(error, doing, path) from error


@contextmanager
def _closing(handle: int) -> Generator[int, None, None]:
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _opened(path: str) -> Generator[tuple[int, os.stat_result, walk.Place], None, None]:
    """Open a regular file for reading; a pipe or device in its place is refused unopened."""
    with walk.place_of(path) as place:
        with _told("open", path):
            _refuse_unless_file(place.handle, place.name, path, must_exist=True)
            handle = os.open(place.name, _READ, dir_fd=place.handle)
        with _closing(handle):
            found = os.fstat(handle)
            if not st.S_ISREG(found.st_mode):
                raise PortError(f"{path} is not a regular file", "EINVAL")
            yield handle, found, place


def _up_to(handle: int, limit: int) -> bytes:
    parts: list[bytes] = []
    while limit > 0 and (chunk := os.read(handle, min(limit, _CHUNK))):
        parts.append(chunk)
        limit -= len(chunk)
    return b"".join(parts)


def _holds_nothing(handle: int) -> bool:
    with os.scandir(handle) as entries:
        return next(entries, None) is None


def _too_large(path: str) -> PortError:
    return PortError(f"{path} is larger than {MAX_CONTENT} bytes", "EFBIG")


@contextmanager
def _attributes_of(path: str) -> Generator[int, None, None]:
    """Hold a file or directory whose attributes may be set without hitting another one.

    A user who may write to the directory could have put a hard link to somebody else's file there.
    """
    with (
        walk.place_of(path) as place,
        _told("change", path),
        _closing(os.open(place.name, _HANDLE, dir_fd=place.handle)) as handle,
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


def _chmod(handle: int, mode: int) -> None:
    # An O_PATH handle refuses fchmod; its name below /proc is the same object, not a new walk.
    Path(f"/proc/self/fd/{handle}").chmod(mode)


def _own(handle: int, uid: int, gid: int) -> None:
    if uid != -1 or gid != -1:
        os.chown(f"/proc/self/fd/{handle}", uid, gid)


def _refuse_unless_file(parent: int, name: str, path: str, *, must_exist: bool = False) -> None:
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


def _refuse_unless_link(parent: int, name: str, path: str) -> None:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not st.S_ISLNK(found.st_mode):
        raise PortError(f"{path} is not a symbolic link", "EEXIST")


def _accept_all(candidate: str) -> None:
    del candidate


def temporary_name(name: str) -> str:
    """Return the name under which a file is written before it takes its place."""
    # The same for every write of one file, so what a kill left behind goes with the next write.
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return f".standfast-{digest[:24]}.tmp"


def _create(parent: int, temporary: str) -> int:
    try:
        return os.open(temporary, _CREATE, 0o600, dir_fd=parent)
    except FileExistsError:
        os.unlink(temporary, dir_fd=parent)
        return os.open(temporary, _CREATE, 0o600, dir_fd=parent)


def _fill(handle: int, content: bytes, mode: int, uid: int, gid: int) -> None:
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


def _stat(found: os.stat_result) -> Stat:
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
