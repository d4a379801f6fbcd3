"""A coordinator for tests of the agent: the real session over a real WebSocket, scripted by tests.

It stores what it receives and acknowledges it, unless it is told to keep silent.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from protocol import dsse, enrolment, journal, messages
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.journal import Entry
from protocol.keys import SigningKey
from protocol.messages import (
    Ack,
    Approval,
    Facts,
    Heartbeat,
    Hello,
    Journal,
    Rejected,
    RosterUpdate,
    Told,
    Welcome,
)
from protocol.session import (
    Action,
    Authenticated,
    CloseLink,
    CoordinatorSession,
    Received,
    Send,
)
from tests.fakes.operators import SCOPE, roster_digest

# Nothing that a test waits for takes a fifth of this on a busy machine.
PATIENCE = 30.0
B = TypeVar("B")


class FakeCoordinator:
    """One coordinator; `rosters` is its chain. A test changes its attributes as it likes."""

    def __init__(self, key: SigningKey, rosters: list[dsse.Envelope]) -> None:
        self.key = key
        self.rosters = rosters
        self.rotations: tuple[dsse.Envelope, ...] = ()
        self.approval: Approval = "approved"
        self.reject: Rejected | None = None
        self.scope = SCOPE
        self.acking = True
        self.heartbeat = 15.0
        self.port = 0
        self.url = ""
        self.secret = os.urandom(32)
        self.secrets: list[bytes | None] = []
        self.hellos: list[Hello] = []
        self.facts: list[Facts] = []
        self.beats: list[Heartbeat] = []
        self.entries: dict[int, Entry] = {}
        self.duplicates: list[int] = []
        self.closes: list[messages.Close] = []
        # Uploaded artifacts; each ask gets at most `part_size` bytes, the `mute` ones no answer.
        self.artifacts: dict[str, bytes] = {}
        self.part_size = 8
        self.asks: list[ArtifactAsk] = []
        self.mute: set[int] = set()
        self.links = 0
        self._session: CoordinatorSession | None = None
        self._socket: WebSocketConnection | None = None
        self._changed = trio.Event()

    def enrolment_key(self, fingerprint: str = "") -> str:
        """The string that enrols an agent with this coordinator."""
        return enrolment.encode(
            enrolment.EnrolmentKey(
                (self.url,),
                self.key.public.hex(),
                fingerprint,
                roster_digest(self.rosters[0]),
                "default",
                enrolment.secret_text(self.secret),
            )
        )

    @asynccontextmanager
    async def running(
        self, context: ssl.SSLContext | None = None, port: int = 0
    ) -> AsyncGenerator[FakeCoordinator]:
        """Listen on a free port of 127.0.0.1 while the block runs."""
        async with trio.open_nursery() as nursery:
            server = await nursery.start(serve_websocket, self._handle, "127.0.0.1", port, context)
            self.port = server.port
            self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()

    async def _handle(self, request: WebSocketRequest) -> None:
        socket = await request.accept()
        session = CoordinatorSession(self.key, nonce=os.urandom(32), rotations=self.rotations)
        self._session, self._socket = session, socket
        self.links += 1
        try:
            await self._talk(socket, session)
        except ConnectionClosed:
            pass
        finally:
            if self._session is session:
                self._session = self._socket = None
            self._ring()

    async def _talk(self, socket: WebSocketConnection, session: CoordinatorSession) -> None:
        await self._perform(socket, session.start(trio.current_time()))
        while True:
            frame = await socket.get_message()
            assert isinstance(frame, bytes)
            await self._perform(socket, session.receive(frame, trio.current_time()))

    async def _perform(self, socket: WebSocketConnection, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send():
                    await socket.send_message(action.frame)
                case Authenticated():
                    self.hellos.append(action.hello)
                    self.secrets.append(action.enrolment_secret)
                    await self._welcome(socket, action)
                case Received():
                    await self._take(socket, action)
                case CloseLink():
                    await socket.aclose()
                case _:
                    pass
        self._ring()

    async def _welcome(self, socket: WebSocketConnection, found: Authenticated) -> None:
        assert self._session is not None
        if self.reject is not None:
            await self._perform(socket, self._session.reject(self.reject))
            return
        acked = max(self.entries, default=0) if self.acking else 0
        welcome = Welcome(
            found.node_id,
            self.approval,
            acked,
            len(self.rosters),
            0.0,
            self.scope,
            "web1",
            self.heartbeat,
        )
        await self._perform(socket, self._session.welcome(welcome, trio.current_time()))
        if found.hello.roster_version < len(self.rosters):
            update = RosterUpdate(tuple(self.rosters[found.hello.roster_version :]))
            await self._perform(socket, self._session.send(update))

    async def _take(self, socket: WebSocketConnection, received: Received) -> None:
        message = received.message
        match message:
            case Journal():
                for entry in message.entries:
                    if entry.seq in self.entries:
                        self.duplicates.append(entry.seq)
                        assert self.entries[entry.seq] == entry
                    self.entries[entry.seq] = entry
                if self.acking and self._session is not None:
                    seq = max(self.entries)
                    await self._perform(socket, self._session.send(Ack(seq)))
            case Facts():
                self.facts.append(message)
            case Heartbeat():
                self.beats.append(message)
            case ArtifactAsk():
                await self._give(socket, message)
            case messages.Close():
                self.closes.append(message)
            case _:
                pass

    async def _give(self, socket: WebSocketConnection, ask: ArtifactAsk) -> None:
        self.asks.append(ask)
        if len(self.asks) in self.mute or self._session is None:
            return
        data, end = self.artifacts.get(ask.sha256), ask.offset + self.part_size
        part = ArtifactPart(ask.sha256, ask.offset, refused="no such artifact")
        if data is not None:
            part = ArtifactPart(ask.sha256, ask.offset, len(data), data[ask.offset : end])
        await self._perform(socket, self._session.send(part))

    def _ring(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something received makes the condition true."""
        with trio.fail_after(PATIENCE):
            while not condition():
                await self._changed.wait()

    async def send(self, message: Told) -> None:
        """Send a message on the link that is open now, waiting for one."""
        await self.until(self.is_up)
        assert self._session is not None
        assert self._socket is not None
        await self._perform(self._socket, self._session.send(message))

    async def say_welcome(self, approval: Approval) -> None:
        """Tell the agent that its approval has changed."""
        assert self._session is not None
        assert self._socket is not None
        node = self.hellos[-1]
        message = Welcome(
            messages_node_id(node), approval, 0, len(self.rosters), 0.0, self.scope, "web1"
        )
        await self._perform(self._socket, self._session.welcome(message, trio.current_time()))

    def is_up(self) -> bool:
        """Whether a link is established."""
        session = self._session
        return session is not None and session.state.value in {"pending", "approved"}

    async def drop(self) -> None:
        """Cut the link as a broken network does: without a word."""
        if self._socket is not None:
            await self._socket.aclose()

    def bodies(self, kind: type[B]) -> list[B]:
        """The journal's entries of one kind, in order."""
        found = [messages.decode_body(self.entries[seq]) for seq in sorted(self.entries)]
        return [body for body in found if isinstance(body, kind)]

    def chain_holds(self, public_key: bytes) -> bool:
        """Whether the entries received are one unbroken chain signed by the host."""
        before = journal.GENESIS
        for number, seq in enumerate(sorted(self.entries), start=1):
            entry = self.entries[seq]
            if seq != number or entry.prev != before or not journal.holds(entry, public_key):
                return False
            before = journal.hash_of(entry)
        return True

    def document(self, sha256: str) -> bytes:
        """An artifact put together from its chunks."""
        chunks = [c for c in self.bodies(messages.ArtifactChunk) if c.sha256 == sha256]
        data = bytearray()
        for chunk in sorted(chunks, key=lambda c: c.offset):
            if chunk.offset == len(data):
                data += chunk.data
        return bytes(data)


def messages_node_id(hello: Hello) -> str:
    """The node id that follows from a hello's key."""
    from protocol import ids

    return ids.node_id(hello.public_key)
