"""Writing small files so that they are wholly there or not at all, also after a power cut.

Only the agent's own state directory is written through here; managed files belong to the engine.
"""

from __future__ import annotations

import os
from pathlib import Path

from protocol.errors import StandfastError

# The biggest of our small files is an enrolment key of 4 KiB.
MAX_SMALL_FILE = 65_536


class StateDirectoryError(StandfastError):
    """The agent's state directory cannot be used; the text says why and what to do."""


def prepare_directory(path: Path) -> None:
    """Make the state directory with mode 0700 if it is not there.

    Raises:
        StateDirectoryError: it cannot be made, is another user's, or others may write to it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise StateDirectoryError(f"state directory {path}: {error.strerror}") from error
    # Whoever owns the directory can put another identity and another memory in its place.
    if status.st_uid not in {0, os.geteuid()}:
        text = f"state directory {path} belongs to user {status.st_uid}; it must be the agent's"
        raise StateDirectoryError(text)
    if status.st_mode & 0o022:
        raise StateDirectoryError(f"state directory {path} is writable by others; chmod 0700 it")


def create_private(path: Path, content: bytes) -> bool:
    """Create a file with mode 0600, durably; return False and change nothing if it exists.

    A crash at any moment leaves either no file under this name or the whole one.
    """
    draft = _draft_of(path)
    _write_draft(draft, content)
    try:
        # A link never replaces: two processes at first start cannot overwrite each other.
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def replace_private(path: Path, content: bytes) -> None:
    """Put a file with mode 0600 in place of another, durably and at once."""
    draft = _draft_of(path)
    try:
        _write_draft(draft, content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def _draft_of(path: Path) -> Path:
    # A name of this process alone: `enrol` and the agent may write at the same moment, and neither
    # may give the other's half-written draft its name. What a crash left behind holds secrets.
    for old in path.parent.glob(f"{path.name}.*.new"):
        if not _is_running(old.name.split(".")[-2]):
            old.unlink(missing_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    return draft


def _is_running(pid: str) -> bool:
    return pid.isdecimal() and pid != str(os.getpid()) and Path("/proc", pid).exists()


def _write_draft(draft: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(draft, flags, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_small(path: Path) -> bytes | None:
    """Return a small file's content, or None if there is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_SMALL_FILE)
    except FileNotFoundError:
        return None
