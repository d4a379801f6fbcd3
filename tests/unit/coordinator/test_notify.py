"""Signs of life over a real datagram socket."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from coordinator.notify import Notifier
from protocol import sdnotify


def test_without_a_manager_nothing_is_sent() -> None:
    assert not Notifier.from_environment({}).send(sdnotify.READY)


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notifier.send(sdnotify.READY)


def test_ready_arrives_at_the_manager(tmp_path: Path) -> None:
    path = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(5)
        assert Notifier.from_environment({"NOTIFY_SOCKET": path}).send(sdnotify.READY)
        assert manager.recv(100) == b"READY=1"


async def test_the_watchdog_is_fed_only_while_the_work_gets_done(tmp_path: Path) -> None:
    """A look that says no is not fed, one that hangs or raises ends the feeding."""
    path = str(tmp_path / "n")
    looks: list[int] = []

    async def alive() -> bool:
        await trio.lowlevel.checkpoint()
        looks.append(1)
        if len(looks) == 4:
            raise ConnectionError("the store is gone")
        return len(looks) != 2

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.setblocking(False)
        notifier = Notifier(sdnotify.Manager(path, 0.001))
        with pytest.raises(ConnectionError):
            await notifier.feed(alive)
        assert [manager.recv(100), manager.recv(100)] == [b"WATCHDOG=1"] * 2
        with pytest.raises(BlockingIOError):
            manager.recv(100)


async def test_no_watchdog_means_no_feeding() -> None:
    async def alive() -> bool:
        raise AssertionError("never called")

    await Notifier(sdnotify.Manager("/nowhere", None)).feed(alive)
