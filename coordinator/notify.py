"""Signs of life to the service manager: ready, stopping, and the watchdog fed by the live loop.

Messages and address parsing are in `protocol.sdnotify`; here is the datagram socket.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Mapping

import anyio

from protocol import sdnotify


class Notifier:
    """Sends to the manager named in the environment; without one, every call does nothing."""

    def __init__(self, manager: sdnotify.Manager | None) -> None:
        self._manager = manager

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """Return the notifier for this process."""
        return cls(sdnotify.find(environment, os.getpid()))

    def send(self, message: bytes) -> bool:
        """Send one datagram; False if there is no manager or it does not take it now."""
        if self._manager is None:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            # The manager's queue may be full: never wait for it, the next sign of life comes soon.
            channel.setblocking(False)
            try:
                channel.sendto(message, self._manager.address)
            except OSError:
                return False
        return True

    async def feed(self, alive: Callable[[], Awaitable[bool]]) -> None:
        """Feed the watchdog at half its interval whenever `alive` says so; returns without one.

        `alive` does a small piece of real work, so a hung loop or store ends the feeding.
        """
        if self._manager is None or self._manager.watchdog is None:
            return
        while True:
            if await alive():
                self.send(sdnotify.WATCHDOG)
            await anyio.sleep(self._manager.watchdog / 2)
