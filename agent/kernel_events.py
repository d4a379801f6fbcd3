"""A descriptor on which the kernel tells of changes: waited for, read at once, closed once.

What the bytes mean is `inotify`'s and `fanotify`'s.
"""

from __future__ import annotations

import os

import trio


class KernelEvents:
    """One such descriptor, opened without blocking by whoever hands it over; owned here then."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def wait(self) -> None:
        """Wait until there is something to read.

        Raises:
            trio.ClosedResourceError: it was closed, by us.
        """
        if self._fd < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_readable(self._fd)

    def take(self, most: int) -> bytes:
        """Return up to `most` bytes of what has happened; none if nothing, or closed meanwhile."""
        if self._fd < 0:
            # Its number may be somebody else's by now.
            return b""
        try:
            return os.read(self._fd, most)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Close the descriptor, and with it all that was watched through it."""
        trio.lowlevel.notify_closing(self._fd)
        os.close(self._fd)
        self._fd = -1
