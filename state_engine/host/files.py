"""The file port on Linux. Every change goes through a walked directory handle (`host.walk`)."""

from __future__ import annotations

import errno
import hashlib
import os
import stat as st
from collections.abc import Callable
from contextlib import suppress

from state_engine.host import clock, handles, walk
from state_engine.host.stat_cache import StatCache
from state_engine.ports import MAX_CONTENT, MAX_NAMES, FileType, PortError, Stat

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
            with walk.parent_of(path) as (parent, name), handles.told("look at", path):
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except PortError as error:
            if error.code in {"ENOENT", "ENOTDIR"}:
                return None
            raise
        return handles.seen(found)

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
        with handles.opened(path) as (handle, before, _):
            if before.st_size > MAX_CONTENT:
                raise handles.too_large(path)
            if not verify and (known := self.cache.find(path, before)) is not None:
                return known
            # Read the clock first: a write during the reading then counts as too recent.
            now_ns = clock.file_clock_ns()
            sha = hashlib.sha256()
            size = 0
            with handles.told("read", path):
                while chunk := os.read(handle, handles.CHUNK):
                    sha.update(chunk)
                    size += len(chunk)
                    if size > MAX_CONTENT:  # it grows while it is read, perhaps for ever
                        raise handles.too_large(path)
                after = os.fstat(handle)
            digest = sha.hexdigest()
            if after.st_ctime_ns == before.st_ctime_ns and after.st_size == before.st_size:
                self.cache.remember(path, before, digest, now_ns)
            return digest

    def read(self, path: str, limit: int) -> bytes:
        """Return up to `limit` bytes of a regular file."""
        with handles.opened(path) as (handle, _, _), handles.told("read", path):
            return handles.up_to(handle, limit)

    def read_public(self, path: str, limit: int) -> bytes | None:
        """Return up to `limit` bytes of a regular file if every user could read them, else None."""
        with handles.opened(path) as (handle, found, place), handles.told("read", path):
            public = place.public and found.st_mode & st.S_IROTH
            return handles.up_to(handle, limit) if public or self._show_private else None

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
        with walk.parent_of(path) as (parent, name), handles.told("write", path):
            handles.refuse_unless_file(parent, name, path)
            temporary = handles.temporary_name(name)
            handle = handles.create(parent, temporary)
            handles.take_over_labels(parent, name, handle, uid)
            try:
                with handles.closing(handle):
                    handles.fill(handle, content, mode, uid, gid)
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
        with walk.parent_of(path) as (parent, name), handles.told("make directory", path):
            os.mkdir(name, 0o700, dir_fd=parent)
            try:
                with handles.closing(os.open(name, handles.LIST, dir_fd=parent)) as handle:
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
        with walk.parent_of(path) as (parent, name), handles.told("read", path):
            return os.readlink(name, dir_fd=parent)

    def make_symlink(self, path: str, target: str, uid: int, gid: int) -> None:
        """Put a symbolic link in its place atomically: temporary sibling, rename, fsync.

        -1 for `uid` or `gid` means our own.
        """
        with walk.parent_of(path) as (parent, name), handles.told("link", path):
            handles.refuse_unless_link(parent, name, path)
            temporary = handles.temporary_name(name)
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
        with handles.attributes_of(path) as handle:
            handles.chmod(handle, mode)

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        """Set owner and group; -1 keeps one of them."""
        with handles.attributes_of(path) as handle:
            handles.own(handle, uid, gid)

    def remove(self, path: str) -> None:
        """Remove a file, symlink or empty directory."""
        with walk.parent_of(path) as (parent, name), handles.told("remove", path):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if st.S_ISDIR(found.st_mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)
            self.cache.forget(path)
            walk.sync_directory(parent)

    def is_empty(self, path: str) -> bool:
        """Say whether a directory holds nothing."""
        with walk.parent_of(path) as (parent, name), handles.told("list", path):
            handle = os.open(name, handles.LIST, dir_fd=parent)
            with handles.closing(handle):
                return handles.holds_nothing(handle)

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names in a directory, sorted."""
        found: list[str] = []
        with (
            walk.parent_of(path) as (parent, name),
            handles.told("list", path),
            handles.closing(os.open(name, handles.LIST, dir_fd=parent)) as handle,
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
        with handles.closing(os.open(name, handles.HANDLE, dir_fd=parent)) as handle:
            # Whoever can write to the directory may have put a hard link to somebody's file there.
            found = os.fstat(handle)
            if not st.S_ISLNK(found.st_mode) or found.st_uid != self._euid or found.st_nlink != 1:
                raise OSError(errno.EBUSY, "the link changed meanwhile")
            handles.own(handle, uid, gid)

    def _refuse_unless_new(self, handle: int, path: str) -> None:
        # Whoever can write to the parent may have put another directory in the new one's place. An
        # empty one of our own that nobody else can enter is as good as the one that we made.
        found = os.fstat(handle)
        private = found.st_uid == self._euid and not found.st_mode & 0o077
        if not (private and handles.holds_nothing(handle)):
            raise PortError(f"{path} changed meanwhile: it is not the directory just made", "EBUSY")


def _accept_all(candidate: str) -> None:
    del candidate
