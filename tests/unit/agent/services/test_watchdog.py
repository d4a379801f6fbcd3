"""The watchdog is fed by the living loop at half of its time, and only if there is one."""

from __future__ import annotations

import socket
from pathlib import Path

import trio
import trio.testing

from agent.services import watchdog
from protocol.sdnotify import Manager


async def test_a_sign_of_life_at_half_of_the_interval(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A minute with a watchdog of 20 s hears six or seven of them."""
    del autojump_clock
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(address)
        with trio.move_on_after(59):
            await watchdog.run(Manager(address, 20.0))
        heard = 0
        try:
            while True:
                assert manager.recv(64) == b"WATCHDOG=1"
                heard += 1
        except BlockingIOError:
            pass
        assert heard == 6


async def test_without_a_watchdog_it_ends(tmp_path: Path) -> None:
    """Nobody asked, so nothing wakes."""
    await watchdog.run(None)
    await watchdog.run(Manager(str(tmp_path / "none"), None))
