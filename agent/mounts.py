"""Being told by the kernel that a file system was mounted, or swap switched on, or the reverse.

What has changed is for others to see.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import NoReturn

import trio

TABLES = {"mounts": "/proc/self/mountinfo", "swaps": "/proc/swaps"}


async def listen(ring: Callable[[], None], table: str) -> NoReturn:
    """Call `ring` whenever one of the tables has changed.

    Raises:
        OSError: the table cannot be watched.
    """
    handle = os.open(table, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The event loop waits for data, and the table always has some: the priority that says
        # "changed" is waited for behind a poll of its own.
        with select.epoll() as changes:
            changes.register(handle, select.EPOLLPRI | select.EPOLLERR)
            while True:
                await trio.lowlevel.wait_readable(changes.fileno())
                changes.poll(0)
                ring()
    finally:
        os.close(handle)
