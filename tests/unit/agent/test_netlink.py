"""A change of the network is heard of, in the namespace in which the socket was opened."""

from __future__ import annotations

import queue
import socket
import subprocess
from collections.abc import Callable

import pytest
import trio
import trio.testing

from agent import netlink
from agent.engine_thread import EngineThread
from tests.fakes.namespaces import inside, missing


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not holds():
            await trio.testing.wait_all_tasks_blocked(0.01)


@pytest.mark.needs_root
async def test_links_addresses_and_routes_are_heard() -> None:
    """Each change rings, and nothing rings while nothing happens."""
    reason = missing("ip")
    if reason is not None:
        pytest.skip(reason)
    turns: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    opened: list[socket.socket] = []

    def change() -> None:
        opened.append(netlink.opened("network"))
        while (words := turns.get()) is not None:
            subprocess.run(["ip", *words.split()], check=True, capture_output=True)

    heard: list[None] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(EngineThread().run, lambda: inside(change))
        try:
            await until(lambda: bool(opened))
            nursery.start_soon(netlink.listen, lambda: heard.append(None), opened[0])
            for words in (
                "link set lo up",
                "address add 10.9.8.7/24 dev lo",
                "route add 10.1.0.0/16 dev lo",
                "-6 route add fd00:1::/64 dev lo",
            ):
                await trio.testing.wait_all_tasks_blocked(0.05)
                heard.clear()
                turns.put(words)
                await until(lambda: bool(heard))
        finally:
            turns.put(None)
            nursery.cancel_scope.cancel()
    assert opened[0].fileno() == -1


async def test_what_was_lost_is_a_change_and_what_is_broken_is_an_error() -> None:
    """A full buffer says that something happened; a socket that was closed says nothing."""
    heard = netlink.opened("network")
    assert not netlink._more(heard)
    heard.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        netlink._more(heard)


def test_the_firewall_has_a_bell_of_its_own() -> None:
    """It is another protocol of the kernel, which may not be there."""
    try:
        netlink.opened("firewall").close()
    except OSError as error:
        pytest.skip(f"needs nf_tables in the kernel: {error}")
