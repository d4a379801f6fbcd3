"""A D-Bus daemon of the test's own, and somebody on it who stands in for systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio
from jeepney import (  # type: ignore[import-untyped]  # it has no types
    DBusAddress,
    HeaderFields,
    message_bus,
    new_method_return,
    new_signal,
)
from jeepney.io.trio import (  # type: ignore[import-untyped]  # it has no types
    open_dbus_connection,
)

from agent import systemd_bus

_CONFIG = """<busconfig><type>session</type><listen>unix:path={path}</listen>
<auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


@contextmanager
def bus(folder: Path) -> Generator[str]:
    """Run a daemon and give the path of its socket; skip where there is none."""
    daemon = shutil.which("dbus-daemon")
    if daemon is None:
        pytest.skip("needs dbus-daemon")
    socket, config = folder / "bus", folder / "bus.conf"
    config.write_text(_CONFIG.format(path=socket))
    with subprocess.Popen(
        [daemon, f"--config-file={config}", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LANG": "C"},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield str(socket)
        finally:
            process.terminate()


class Systemd:
    """The name of systemd on a bus, and its signals; `subscribed` is set by who listens."""

    def __init__(self, connection: object) -> None:
        self._connection = connection
        self.subscribed = trio.Event()

    async def answer(self) -> None:
        """Answer whoever subscribes, for ever."""
        while True:
            message = await self._connection.receive()  # type: ignore[attr-defined]  # untyped
            if message.header.fields.get(HeaderFields.member) == "Subscribe":
                await self._connection.send(new_method_return(message))  # type: ignore[attr-defined]
                self.subscribed.set()

    async def changed(self, unit: str) -> None:
        """Say that properties of a unit have changed."""
        place = DBusAddress(systemd_bus.unit_path(unit), interface=systemd_bus.PROPERTIES)
        await self._say(new_signal(place, "PropertiesChanged", "s", (unit,)))

    async def forge(self, unit: str) -> None:
        """Say the same to everybody on a small bus by name, which asks no rule of theirs."""
        place = DBusAddress(systemd_bus.unit_path(unit), interface=systemd_bus.PROPERTIES)
        for number in range(10):
            message = new_signal(place, "PropertiesChanged", "s", (unit,))
            message.header.fields[HeaderFields.destination] = f":1.{number}"
            await self._say(message)

    async def reloaded(self) -> None:
        """Say that all unit files were read anew."""
        place = DBusAddress(systemd_bus.PATH, interface=systemd_bus.MANAGER)
        await self._say(new_signal(place, "Reloading", "b", (False,)))

    async def _say(self, message: object) -> None:
        await self._connection.send(message)  # type: ignore[attr-defined]  # untyped


@asynccontextmanager
async def systemd(socket: str, *, named: bool = True) -> AsyncGenerator[Systemd]:
    """Stand in for systemd on a bus until the block ends; `named` false: without its name."""
    connection = await open_dbus_connection(f"unix:path={socket}")
    async with connection:
        if named:
            async with connection.router() as router:
                await router.send_and_get_reply(message_bus.RequestName(systemd_bus.SYSTEMD))
        async with trio.open_nursery() as nursery:
            one = Systemd(connection)
            nursery.start_soon(one.answer)
            try:
                yield one
            finally:
                nursery.cancel_scope.cancel()
