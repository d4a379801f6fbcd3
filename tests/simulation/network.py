"""The network between hosts and coordinator, in memory: frames take time, wait, or are lost.

Within one connection order is kept, as TCP does; between connections nothing is.
Sleeps here are virtual: a run is under trio's MockClock.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Literal

import msgspec
import trio

from agent.bells import Bell
from agent.link import CONNECT_SECONDS, SEND_SECONDS, LinkError
from tests.simulation.trace import Trace

Side = Literal["up", "down"]
# Frames on their way in one direction before the sender has to wait: a socket's buffers.
WINDOW = 32


class _Tag(msgspec.Struct):
    type: str


_tags: msgspec.msgpack.Decoder[_Tag] = msgspec.msgpack.Decoder(_Tag)


def tag_of(frame: bytes) -> str:
    """Return the kind of message in a frame."""
    try:
        return _tags.decode(frame).type
    except msgspec.MsgspecError:
        return "?"


class Route:
    """The way between one host and the coordinator, and what is wrong with it now.

    `closed` is until when (virtual time) nothing passes in a direction, `drag` what a slow peer
    adds to each frame, in seconds.
    """

    def __init__(self, address: str, luck: Random) -> None:
        self.address = address
        self._luck = luck
        self.base = luck.choice((0.001, 0.01, 0.05, 0.3))
        self.closed: dict[Side, float] = {"up": 0.0, "down": 0.0}
        self.drag = 0.0

    def delay(self) -> float:
        """Return how long the next frame takes."""
        return self.base * (0.5 + self._luck.random()) + self.drag * self._luck.random()

    def heal(self) -> None:
        """Put right whatever is wrong."""
        self.closed = {"up": 0.0, "down": 0.0}
        self.drag = 0.0


class BrokenWireError(OSError):
    """The other end is gone."""


class Wire:
    """One direction of one connection."""

    def __init__(self, route: Route, side: Side) -> None:
        self._route = route
        self._side: Side = side
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._last = 0.0
        self._ended = False
        self.broken = False
        self.changed = Bell()

    async def put(self, frame: bytes) -> None:
        """Send a frame; waits while too many are on their way."""
        await trio.lowlevel.checkpoint()
        while len(self._queue) >= WINDOW and not self.broken:
            await self.changed.heard(self.changed.count)
        if self.broken:
            raise BrokenWireError("the other end is gone")
        self.add(frame)

    def add(self, frame: bytes | None) -> None:
        """Put a frame on its way, or None for the end."""
        self._last = max(self._last, trio.current_time() + self._route.delay())
        self._queue.append((self._last, frame))
        self.changed.ring()

    def cut(self) -> None:
        """Lose what is on its way; both ends notice at once."""
        self._queue.clear()
        self.broken = self._ended = True
        self.changed.ring()

    async def get(self) -> bytes | None:
        """Return the next frame when it has come, None at the end."""
        while not (self._ended and not self._queue):
            known = self.changed.count
            at = max(self._queue[0][0], self._route.closed[self._side]) if self._queue else None
            if at is not None and at <= trio.current_time():
                frame = self._queue.popleft()[1]
                self._ended = self._ended or frame is None
                self.changed.ring()
                await trio.lowlevel.checkpoint()
                return frame
            with trio.move_on_at(float("inf") if at is None else at):
                await self.changed.heard(known)
        await trio.lowlevel.checkpoint()
        return None


class Connection:
    """One connection: its wires, and whether its host was welcomed on it."""

    def __init__(self, host: str, route: Route) -> None:
        self.host = host
        self.route = route
        self.up, self.down = Wire(route, "up"), Wire(route, "down")
        self.welcomed = False

    def cut(self) -> None:
        """Break it, for both ends."""
        self.up.cut()
        self.down.cut()


class AgentEnd:
    """The host's end: frames as `agent.link.Frames` has them; `heard` hears of each that came."""

    def __init__(
        self, connection: Connection, trace: Trace, heard: Callable[[str, bytes], None]
    ) -> None:
        self._connection = connection
        self._trace = trace
        self._heard = heard

    async def send(self, frame: bytes) -> None:
        try:
            with trio.fail_after(SEND_SECONDS):
                await self._connection.up.put(frame)
        except (BrokenWireError, trio.TooSlowError) as error:
            raise LinkError(f"the link broke while sending: {error}") from error

    async def receive(self) -> bytes:
        frame = await self._connection.down.get()
        if frame is None:
            raise LinkError("the link was closed")
        self._trace.note("down", self._connection.host, tag_of(frame), _short(frame))
        self._heard(self._connection.host, frame)
        return frame


class CoordinatorEnd:
    """The coordinator's end: a socket as `coordinator.link.Socket` has it.

    `saw` hears of each frame that is sent, before it is.
    """

    def __init__(
        self, connection: Connection, trace: Trace, saw: Callable[[Connection, bytes], None]
    ) -> None:
        self.connection = connection
        self.peer = connection.route.address
        self._trace = trace
        self._saw = saw

    async def receive(self) -> bytes | None:
        frame = await self.connection.up.get()
        if frame is not None:
            self._trace.note("up", self.connection.host, tag_of(frame), _short(frame))
        return frame

    async def send(self, frame: bytes) -> None:
        self._saw(self.connection, frame)
        await self.connection.down.put(frame)

    async def close(self, code: int, reason: str) -> None:
        self._trace.note("close", self.connection.host, code, reason)
        await trio.lowlevel.checkpoint()
        self.connection.down.add(None)


def _short(frame: bytes) -> str:
    # Facts hold what is true of this machine only.
    return "" if tag_of(frame) == "facts" else hashlib.sha256(frame).hexdigest()[:12]


class Network:
    """All routes and all connections of one run; `listener` takes new ones, or is None."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.routes: dict[str, Route] = {}
        self.connections: list[Connection] = []
        self.listener: Callable[[CoordinatorEnd], None] | None = None
        self.saw: Callable[[Connection, bytes], None] = lambda _connection, _frame: None
        self.heard: Callable[[str, bytes], None] = lambda _host, _frame: None

    @asynccontextmanager
    async def connect(self, host: str, vanish: Callable[[], bool]) -> AsyncGenerator[AgentEnd]:
        """Open a connection for a host; `vanish` says at its end whether the host is just gone.

        Raises:
            LinkError: the coordinator cannot be reached.
        """
        route = self.routes[host]
        with trio.move_on_after(CONNECT_SECONDS):
            await trio.sleep_until(max(*route.closed.values(), trio.current_time()))
            await trio.sleep(route.delay() + route.delay())
        if max(route.closed.values()) > trio.current_time():
            raise LinkError("no answer")
        if self.listener is None:
            raise LinkError("connection refused")
        connection = Connection(host, route)
        self.connections.append(connection)
        self.listener(CoordinatorEnd(connection, self._trace, self.saw))
        try:
            yield AgentEnd(connection, self._trace, self.heard)
        finally:
            # A host without power says nothing: the other end has to find out by itself.
            if not vanish():
                connection.up.add(None)
            connection.down.cut()
            self.connections.remove(connection)

    def of(self, host: str) -> list[Connection]:
        """Return the open connections of a host."""
        return [one for one in self.connections if one.host == host]

    def heal(self) -> None:
        """Put every route right."""
        for route in self.routes.values():
            route.heal()
        for connection in self.connections:
            connection.up.changed.ring()
            connection.down.changed.ring()
