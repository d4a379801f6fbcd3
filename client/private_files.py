"""Files that only their owner may read: made with 0600, flushed to disk, refused when looser.

No file format is known here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from client.failures import ClientError

# Nothing of ours is larger than a roster of 200 operators in base64, about 100 KiB.
MAX_PRIVATE_FILE = 1_048_576


def read_private(path: Path) -> bytes | None:
    """Return a private file's bytes, or None if there is no such file.

    Raises:
        ClientError: others may read or write it, it is not a plain file of ours, or is too long.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClientError(
            f"cannot read {path}: {error.strerror}", code="file_unreadable"
        ) from error
    try:
        _check(path, os.fstat(descriptor))
        data = b""
        while len(data) <= MAX_PRIVATE_FILE and (part := os.read(descriptor, MAX_PRIVATE_FILE + 1)):
            data += part
    finally:
        os.close(descriptor)
    if len(data) > MAX_PRIVATE_FILE:
        raise ClientError(f"{path} is longer than {MAX_PRIVATE_FILE} bytes", code="file_unreadable")
    return data


def create_private(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600, on disk when this returns.

    Raises:
        ClientError: it is there already (it is left as it is), or cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise ClientError(f"{path} is there already; it was not touched", code="exists")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, data)
    except OSError as error:
        raise _unwritable(path, error) from error


def replace_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600 whole or not at all, in place of what was there.

    Raises:
        ClientError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        _write(fresh, data)
        fresh.replace(path)
        _flush_directory(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ClientError(f"{path} is not a plain file", code="file_unreadable")
    if found.st_mode & 0o077:
        raise ClientError(
            f"{path} can be used by others (mode {stat.S_IMODE(found.st_mode):04o})",
            next_command=f"chmod 600 {path}",
            code="loose_permissions",
        )
    if found.st_uid not in {os.geteuid(), 0}:
        raise ClientError(
            f"{path} belongs to user {found.st_uid}, not to you", code="loose_permissions"
        )


def _write(path: Path, data: bytes) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            # Half a key is worse than none.
            path.unlink()
            raise
    _flush_directory(path.parent)


def _unwritable(path: Path, error: OSError) -> ClientError:
    return ClientError(f"cannot write {path}: {error.strerror}", code="file_unwritable")


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
