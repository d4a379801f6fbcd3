"""Tells the service manager that the event loop lives; a loop that hangs says nothing."""

from __future__ import annotations

import trio

from agent import notify
from protocol import sdnotify
from protocol.sdnotify import Manager


async def run(manager: Manager | None) -> None:
    """Send a sign of life at half of the demanded interval; return at once if none is demanded."""
    if manager is None or manager.watchdog is None:
        return
    while True:
        notify.send(manager, sdnotify.WATCHDOG)
        await trio.sleep(manager.watchdog / 2)
