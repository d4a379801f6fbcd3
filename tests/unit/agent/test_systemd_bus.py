"""A unit that changes is heard over D-Bus, and nobody else's word counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from jeepney import (  # type: ignore[import-untyped]  # it has no types
    DBusAddress,
    HeaderFields,
    new_signal,
)

from agent import systemd_bus
from agent.systemd_bus import MAX_MESSAGE, BusError, listen, rules, unit_path
from tests.fakes.bus import bus, systemd

WEB, TIMER = "web.service", "clean@a.timer"
BOTH = frozenset({WEB, TIMER})


async def until(heard: list[frozenset[str]], count: int) -> frozenset[str]:
    with trio.fail_after(10):
        while len(heard) < count:
            await trio.testing.wait_all_tasks_blocked(0.005)
    return heard[-1]


async def test_a_unit_that_changes_is_heard_and_others_are_not(tmp_path: Path) -> None:
    """Each signal names its unit; a reload of the manager concerns them all."""
    heard: list[frozenset[str]] = []
    with bus(tmp_path) as socket:
        async with systemd(socket) as manager, trio.open_nursery() as nursery:
            nursery.start_soon(listen, BOTH, heard.append, socket)
            assert await until(heard, 1) == BOTH, "what happened before could not be heard"
            await manager.changed("other.service")
            await manager.changed(TIMER)
            assert await until(heard, 2) == {TIMER}
            await manager.reloaded()
            assert await until(heard, 3) == BOTH
            nursery.cancel_scope.cancel()


async def test_a_signal_of_another_is_no_word_of_systemd(tmp_path: Path) -> None:
    """Whoever is on the bus may send; only the owner of systemd's name makes us look."""
    heard: list[frozenset[str]] = []
    with bus(tmp_path) as socket:
        async with (
            systemd(socket) as manager,
            systemd(socket, named=False) as liar,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(listen, BOTH, heard.append, socket)
            await until(heard, 1)
            await liar.changed(WEB)
            await liar.forge(WEB)
            await liar.reloaded()
            await manager.changed(TIMER)
            assert await until(heard, 2) == {TIMER}
            nursery.cancel_scope.cancel()


async def test_a_bus_that_ends_is_an_error(tmp_path: Path) -> None:
    """The caller tells it and comes back later."""
    heard: list[frozenset[str]] = []
    failed: list[str] = []

    async def listening() -> None:
        with pytest.raises(BusError) as error:
            await listen(BOTH, heard.append, str(tmp_path / "bus"))
        failed.append(str(error.value))

    async with trio.open_nursery() as nursery:
        with bus(tmp_path) as socket:
            async with systemd(socket) as manager:
                nursery.start_soon(listening)
                await until(heard, 1)
                assert manager.subscribed.is_set()
    assert failed


async def test_a_bus_without_systemd_is_an_error(tmp_path: Path) -> None:
    """In a container there may be a bus and nobody to ask; or no bus at all."""
    with bus(tmp_path) as socket, pytest.raises(BusError, match="Subscribe"):
        await listen(BOTH, lambda _: None, socket)
    with pytest.raises(BusError, match="FileNotFoundError"):
        await listen(BOTH, lambda _: None, str(tmp_path / "none"))


async def test_what_is_no_bus_is_an_error(tmp_path: Path) -> None:
    """A program that answers nonsense, or nothing at all and hangs up."""
    for answer in (b"hello\r\n", b""):
        listener = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        path = str(tmp_path / f"socket{len(answer)}")
        await listener.bind(path)
        listener.listen(1)

        async def serve(listener: trio.socket.SocketType = listener, text: bytes = answer) -> None:
            peer, _ = await listener.accept()
            await peer.recv(4_096)
            if text:
                await peer.send(text)
            peer.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with pytest.raises(BusError):
                await listen(BOTH, lambda _: None, path)
        listener.close()


@pytest.mark.parametrize(
    ("unit", "label"),
    [
        ("web.service", "web_2eservice"),
        ("a-b@1.timer", "a_2db_401_2etimer"),
        ("1a.service", "_31a_2eservice"),
        ("ü.service", "_c3_bc_2eservice"),
    ],
)
def test_the_path_of_a_unit_is_as_systemd_writes_it(unit: str, label: str) -> None:
    """Every byte but letters and digits is escaped, and a digit at the start."""
    assert unit_path(unit) == f"/org/freedesktop/systemd1/unit/{label}"


def test_more_units_than_a_bus_takes_rules_for_are_one_rule() -> None:
    """A bus allows a connection so many rules and no more."""
    assert len(rules(["a.service", "b.service"])) == 4
    many = [f"{number}.service" for number in range(systemd_bus.MAX_RULES + 1)]
    assert len(rules(many)) == 3


async def test_long_and_odd_messages_of_strangers_are_left_out() -> None:
    """Any user may send what a bus lets pass: it is neither held nor understood, nor the end."""
    place = DBusAddress(unit_path(WEB), interface=systemd_bus.PROPERTIES)
    long = new_signal(place, "PropertiesChanged", "ay", (b"x" * 3 * MAX_MESSAGE,)).serialise(1)
    good = new_signal(place, "Told", "s", ("words",)).serialise(2)
    odd = bytearray(good)
    odd[16] = 200  # a field of the head that nobody knows
    ours, theirs = trio.socket.socketpair()
    most: list[int] = []
    async with trio.SocketStream(ours) as near, trio.SocketStream(theirs) as far:
        connection = systemd_bus._Connection(near)

        async def send() -> None:
            for data in (long, bytes(odd), long, good):
                await far.send_all(data)
                most.append(len(connection._buffer))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            with trio.fail_after(10):
                header = await connection.receive()
        assert header.fields[HeaderFields.member] == "Told"
        assert connection.words() == "words"
        assert max(most) < MAX_MESSAGE


async def test_what_is_no_message_is_an_error() -> None:
    ours, theirs = trio.socket.socketpair()
    async with trio.SocketStream(ours) as near, trio.SocketStream(theirs) as far:
        await far.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        with pytest.raises(BusError):
            await systemd_bus._Connection(near).receive()
