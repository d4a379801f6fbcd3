"""Holding the state directory: whoever works on it is alone with it until he lets go."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agent.files import StateDirectoryError

LOCK = "lock"


@contextmanager
def state_lock(state_dir: Path) -> Generator[None]:
    """Hold the state directory: two agents on one would each undo what the other remembers.

    Raises:
        StateDirectoryError: another process holds it.
    """
    fd = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StateDirectoryError(f"another agent is running on {state_dir}; stop it") from error
    try:
        yield
    finally:
        os.close(fd)
