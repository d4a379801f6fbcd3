"""An agent's end of the link in the test's own process: frames go through memory, not a network."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Literal, TypeVar

import trio

from coordinator.config import CoordinatorConfig
from coordinator.context import App
from coordinator.hub import Hub
from coordinator.link import serve
from coordinator.links import Links
from coordinator.store.database import Store
from protocol import messages
from protocol.artifacts import ArtifactAsk
from protocol.keys import SigningKey
from protocol.messages import Facts, Heartbeat, Journal, Message, Welcome
from protocol.ratchet import Held
from protocol.session import AgentSession, CloseLink, Established, HelloFacts, Received, Send
from tests.fakes import people
from tests.fakes.fleet import FakeHost, Fleet
from tests.fakes.stores import FrozenClock, memory_store

# Nothing that a test waits for takes a fifth of this on a busy machine.
PATIENCE = 5.0
IDENTITY = people.key(50)
M = TypeVar("M", bound=Message)


class LinkedFleet(Fleet):
    """A fleet whose store tells a hub, and the application that links are served by."""

    def __init__(self, store: Store | None = None) -> None:
        self.hub = Hub()
        clock = FrozenClock()
        super().__init__(store or memory_store(clock, self.hub.wake), clock)
        self.app = App(self.store, self.hub, IDENTITY, CoordinatorConfig(), self.clock, "", Links())


class MemorySocket:
    """The coordinator's side of a connection; `stuck` makes it take no more frames."""

    def __init__(self, peer: str = "192.0.2.1") -> None:
        self.peer = peer
        self.up, self._from_agent = trio.open_memory_channel[bytes](1_000)
        self._to_agent, self.down = trio.open_memory_channel[bytes](1_000)
        self.closed: list[tuple[int, str]] = []
        self.stuck = False

    async def receive(self) -> bytes | None:
        """The next frame of the agent."""
        try:
            return await self._from_agent.receive()
        except trio.EndOfChannel:
            return None

    async def send(self, frame: bytes) -> None:
        """A frame to the agent."""
        if self.stuck:
            await trio.sleep_forever()
        await self._to_agent.send(frame)

    async def close(self, code: int, reason: str) -> None:
        """The end, from the coordinator's side."""
        self.closed.append((code, reason))
        await self._to_agent.aclose()


class LinkAgent:
    """One agent on one connection."""

    def __init__(
        self,
        host: FakeHost,
        *,
        secret: bytes | None = None,
        head: int = 0,
        ratchet: Held | Literal["its own"] | None = "its own",
    ) -> None:
        self.host = host
        self.socket = MemorySocket()
        self.leases: tuple[str, ...] = ()
        self.got: list[Message] = []
        facts = HelloFacts(bytes(32), "1", "host", 0, 0, head)
        self.session = AgentSession(
            host.key,
            facts,
            nonce=bytes(32),
            heartbeat=lambda _now: Heartbeat(1.0, self.leases),
            pinned_coordinator_key=IDENTITY.public,
            enrolment_secret=secret,
            ratchet=host.held if ratchet == "its own" else ratchet,
        )

    async def shake(self) -> Welcome | CloseLink:
        """Do the handshake; return the welcome, or how the link ended."""
        await self._do_all(self.session.start(0.0))
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    frame = await self.socket.down.receive()
                except trio.EndOfChannel:
                    return CloseLink("gone", "")
                for action in self.session.receive(frame, 0.0):
                    match action:
                        case Established(welcome=welcome):
                            self.host.held = Held(welcome.ratchet_seq, welcome.ratchet)
                            return welcome
                        case CloseLink():
                            return action
                        case Send(frame=sent):
                            await self.socket.up.send(sent)
                        case Received(message=message):
                            self.got.append(message)
                        case _:
                            pass

    async def _do_all(self, actions: Sequence[object]) -> None:
        for action in actions:
            if isinstance(action, Send):
                await self.socket.up.send(action.frame)

    async def say(self, message: Facts | Journal | Heartbeat | ArtifactAsk) -> None:
        """Send a message of an established link."""
        for action in self.session.send(message):
            if isinstance(action, Send):
                await self.socket.up.send(action.frame)

    async def expect(self, kind: type[M]) -> M:
        """Return the next message of a kind; others that came before are kept in `got`."""
        with trio.fail_after(PATIENCE):
            while True:
                message = messages.decode_down(await self.socket.down.receive())
                if isinstance(message, kind):
                    return message
                self.got.append(message)

    async def end(self) -> tuple[int, str]:
        """Return with what the coordinator closed, all other messages being passed over."""
        with trio.fail_after(PATIENCE):
            async for frame in self.socket.down:
                self.got.append(messages.decode_down(frame))
        (reason,) = self.socket.closed
        return reason


@asynccontextmanager
async def linked(fleet: LinkedFleet, *agents: LinkAgent) -> AsyncGenerator[None]:
    """Serve these agents' connections until the block ends."""
    async with trio.open_nursery() as nursery:
        for agent in agents:
            nursery.start_soon(serve, fleet.app, agent.socket)  # noqa: ASYNC113 - it only waits
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()


def unknown_key() -> SigningKey:
    """A key that no host has."""
    return people.key(201)
