"""Being told by systemd, over D-Bus, that a unit changed. What, is for others to see.

jeepney (decision 0018) is imported when the first unit is managed. A signal carries no fact that is
believed: who forges one makes the agent look, and no more often than anything else does.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol, cast

import trio

SOCKET = "/run/dbus/system_bus_socket"
SYSTEMD = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
MANAGER = f"{SYSTEMD}.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
# A bus answers in a millisecond; one that hangs is tried again later.
ANSWER_SECONDS = 10.0
# What systemd says of a unit fits in a tenth of this. Any user of the host may send us what a bus
# lets pass, which is 32 MiB: longer messages are left out, not held.
MAX_MESSAGE = 1_048_576
_FIXED = 16
# Rules of one connection: a bus allows 512. With more units than this all are listened to.
MAX_RULES = 256
# What the manager says of all units at once: links on disk changed, or everything was read anew.
_OF_ALL = ("UnitFilesChanged", "Reloading")


class BusError(Exception):
    """The bus, or systemd behind it, cannot be listened to; the text says why."""


class _Header(Protocol):
    @property
    def fields(self) -> dict[object, object]: ...
    @property
    def message_type(self) -> object: ...


class _Message(Protocol):
    @property
    def header(self) -> _Header: ...
    @property
    def body(self) -> tuple[object, ...]: ...
    def serialise(self, serial: int) -> bytes: ...


class _Headers(Protocol):
    def from_buffer(self, data: bytes) -> tuple[_Header, int]: ...


class _Messages(Protocol):
    def from_buffer(self, data: bytes) -> _Message: ...


class _LowLevel(Protocol):
    Header: _Headers
    Message: _Messages


class _Connection:
    """Messages to a bus, and the heads of those from it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._low = cast("_LowLevel", importlib.import_module("jeepney.low_level"))
        self._buffer = bytearray()
        self._last = b""

    async def send(self, message: _Message, *, serial: int) -> None:
        await self._stream.send_all(message.serialise(serial))

    async def receive(self) -> _Header:
        """Return the head of the next message that is not too long, and that can be read."""
        while True:
            head = await self._exactly(_FIXED)
            size = _size(head) - _FIXED
            if size + _FIXED > MAX_MESSAGE:
                await self._skip(size)
                continue
            self._last = head + await self._exactly(size)
            try:
                # The rest of it is what a stranger may make long to read.
                return self._low.Header.from_buffer(self._last)[0]
            except (ValueError, LookupError, struct.error):
                continue

    def words(self) -> str:
        """Return what the last message says."""
        return " ".join(map(str, self._low.Message.from_buffer(self._last).body))

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += await self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _skip(self, size: int) -> None:
        while len(self._buffer) < size:
            size -= len(self._buffer)
            self._buffer = bytearray(await self._more())
        del self._buffer[:size]

    async def _more(self) -> bytes:
        data = await self._stream.receive_some(65_536)
        if not data:
            raise trio.EndOfChannel("the bus hung up")
        return bytes(data)


class _Authenticator(Protocol):
    def data_to_send(self) -> bytes | None: ...
    def feed(self, data: bytes) -> None: ...


class _Types(Protocol):
    error: object
    signal: object


class _Fields(Protocol):
    path: object
    member: object
    reply_serial: object
    sender: object


class _Jeepney(Protocol):
    MessageType: _Types
    HeaderFields: _Fields

    def DBusAddress(  # noqa: N802 - the library's name
        self, object_path: str, bus_name: str, interface: str
    ) -> object: ...
    def new_method_call(
        self, remote_obj: object, method: str, signature: str | None, body: tuple[object, ...]
    ) -> _Message: ...


class _Auth(Protocol):
    BEGIN: bytes

    def Authenticator(self) -> _Authenticator: ...  # noqa: N802 - the library's name


def _jeepney() -> _Jeepney:
    # The library has no types of its own: these are the parts that are used.
    return cast("_Jeepney", importlib.import_module("jeepney"))


def _size(head: bytes) -> int:
    """Return how long a message is, from the beginning of its head."""
    order = {b"l": "<", b"B": ">"}.get(head[:1])
    if order is None:
        raise BusError("the bus speaks another language")
    lengths: tuple[int, int, int] = struct.unpack(f"{order}4xIII", head)
    body, _, fields = lengths
    return _FIXED + (fields + 7) // 8 * 8 + body


def unit_path(unit: str) -> str:
    """Return the object path of a unit: what is no letter or digit is written as its number."""
    label = "".join(
        char
        if char.isascii() and char.isalnum() and not (at == 0 and char.isdigit())
        else "".join(f"_{byte:02x}" for byte in char.encode())
        for at, char in enumerate(unit)
    )
    return f"{PATH}/unit/{label or '_'}"


def rules(units: Iterable[str]) -> list[str]:
    """Return what to ask a bus for, so that it says nothing of units that are not ours."""
    head = f"type='signal',sender='{SYSTEMD}'"
    changed = f"{head},interface='{PROPERTIES}',member='PropertiesChanged'"
    paths = [f"{changed},path='{unit_path(unit)}'" for unit in sorted(units)]
    if len(paths) > MAX_RULES:
        paths = [f"{changed},path_namespace='{PATH}/unit'"]
    return [*paths, *(f"{head},interface='{MANAGER}',member='{word}'" for word in _OF_ALL)]


async def listen(
    units: frozenset[str], ring: Callable[[frozenset[str]], None], socket: str = SOCKET
) -> None:
    """Call `ring` with the units that changed, and with all of them once systemd is listened to.

    Raises:
        BusError: there is no bus, no systemd behind it, or either has ended.
    """
    try:
        await _listen(units, ring, socket)
    except (OSError, trio.BrokenResourceError, trio.EndOfChannel, trio.TooSlowError) as error:
        raise BusError(f"{type(error).__name__}: {error}") from error
    except ValueError as error:
        raise BusError(f"the bus speaks another language: {error}") from error


async def _listen(
    units: frozenset[str], ring: Callable[[frozenset[str]], None], socket: str
) -> None:
    async with await trio.open_unix_socket(socket) as stream:
        with trio.fail_after(ANSWER_SECONDS):
            connection = await _opened(stream)
            systemd = await _subscribed(connection, units)
        # What happened before could not be heard.
        ring(units)
        await _hear(connection, systemd, {unit_path(unit): unit for unit in units}, ring)


async def _opened(stream: trio.SocketStream) -> _Connection:
    auth = cast("_Auth", importlib.import_module("jeepney.auth"))
    talk = auth.Authenticator()
    while (data := talk.data_to_send()) is not None:
        await stream.send_all(data)
        answer = await stream.receive_some(4_096)
        if not answer:
            raise BusError("the bus hung up")
        talk.feed(bytes(answer))
    await stream.send_all(auth.BEGIN)
    return _Connection(stream)


async def _subscribed(connection: _Connection, units: frozenset[str]) -> object:
    """Ask for the signals and return who sends them: systemd's own name on this bus."""
    jeepney = _jeepney()
    bus = ("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    calls: list[tuple[tuple[str, str, str], str, str | None, tuple[object, ...]]] = [
        (bus, "Hello", None, ()),
        *((bus, "AddMatch", "s", (rule,)) for rule in rules(units)),
        # systemd says nothing aloud before somebody asked it to.
        ((PATH, SYSTEMD, MANAGER), "Subscribe", None, ()),
    ]
    sender: object = None
    for serial, (place, method, signature, body) in enumerate(calls, start=1):
        target = jeepney.DBusAddress(*place)
        call = jeepney.new_method_call(target, method, signature, body)
        await connection.send(call, serial=serial)
        reply = await _reply(connection, jeepney, serial)
        if reply.message_type == jeepney.MessageType.error:
            raise BusError(f"{method}: {connection.words()[:200]}")
        sender = reply.fields.get(jeepney.HeaderFields.sender)
    return sender


async def _reply(connection: _Connection, jeepney: _Jeepney, serial: int) -> _Header:
    while True:
        header = await connection.receive()
        if header.fields.get(jeepney.HeaderFields.reply_serial) == serial:
            return header


async def _hear(
    connection: _Connection,
    systemd: object,
    paths: dict[str, str],
    ring: Callable[[frozenset[str]], None],
) -> NoReturn:
    jeepney = _jeepney()
    everything = frozenset(paths.values())
    while True:
        header = await connection.receive()
        fields = header.fields
        # Whoever is on the bus may send us signals; only systemd's are worth a look.
        if header.message_type != jeepney.MessageType.signal:
            continue
        if fields.get(jeepney.HeaderFields.sender) != systemd:
            continue
        unit = paths.get(str(fields.get(jeepney.HeaderFields.path)))
        if unit is not None:
            ring(frozenset({unit}))
        elif fields.get(jeepney.HeaderFields.member) in _OF_ALL:
            ring(everything)
