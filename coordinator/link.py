"""The agent link's endpoint: one WebSocket, driven by `protocol.session`, one live link per host.

Bytes and tasks are here; what the messages change is `coordinator.domain`, what goes down by itself
is `coordinator.link_dispatch`. An entry is acknowledged only after its commit.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol

import anyio
import msgspec
import structlog
from anyio.abc import TaskGroup
from litestar import WebSocket, websocket
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.params import SkipValidation
from sqlalchemy.exc import SQLAlchemyError

from coordinator import link_reports
from coordinator.context import App
from coordinator.domain import agents, clones, journal_intake
from coordinator.domain.host_reports import Host
from coordinator.link_artifacts import ArtifactDesk
from coordinator.link_dispatch import REJECTED_SECONDS, Dispatch, Down
from coordinator.store import journals, presence, rosters
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.database import Tx
from coordinator.store.threads import StoreBusyError, StoreClosedError
from protocol.artifacts import ArtifactAsk
from protocol.messages import Ack, Close, Facts, Heartbeat, Hello, Journal, Rejected, Welcome
from protocol.ratchet import Held, Peer
from protocol.session import (
    Action,
    Authenticated,
    CloseLink,
    CoordinatorSession,
    CoordinatorState,
    Log,
    Received,
    Send,
)

PATH = "/api/v1/agents/link"
# Frames on their way to one agent: eight offers, and acks between them, of at most 1 MiB each.
OUTBOX = 16
# A peer that takes no frame for as long as it may be silent is as good as gone.
SEND_SECONDS = 45.0
# After the link: one short write, so that the host shows up as cut off.
FAREWELL_SECONDS = 5.0
# WebSocket close codes (RFC 6455, section 7.4.1, and its registry): try again later, normal.
CLOSE_BUSY = 1013
CLOSE_NORMAL = 1000

# What a store that is busy, full or broken raises: nothing of the job is stored then.
STORE_FAULTS = (StoreBusyError, StoreClosedError, StoreUnusableError, SQLAlchemyError)

_log = structlog.get_logger("coordinator.link")


class Socket(Protocol):
    """A connection that carries whole frames."""

    @property
    def peer(self) -> str:
        """The address of the other side."""
        ...

    async def receive(self) -> bytes | None:
        """Return the next frame, or None once the other side has gone."""
        ...

    async def send(self, frame: bytes) -> None:
        """Send a frame."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close the connection with a reason."""
        ...


class _Entry(msgspec.Struct, frozen=True):
    known: agents.Registered
    hello: Hello
    acked: int
    roster_version: int
    ratchet: Held


async def serve(app: App, socket: Socket) -> None:
    """Serve one connection until it ends."""
    if app.hub.closed or not app.links.admit(socket.peer):
        await socket.close(CLOSE_BUSY, "busy: try again later")
        return
    link = Link(app, socket)
    try:
        await link.run()
    except* (*STORE_FAULTS, OSError) as group:
        # Nothing was acknowledged that is not stored: the agent comes back and sends it again.
        _log.warning("link_failed", peer=socket.peer, error=repr(group.exceptions[0]))
    finally:
        # `farewell` shields itself, and for a bounded time.
        await link.farewell()  # noqa: ASYNC102 - see there


class Link:
    """One connection of one agent."""

    def __init__(self, app: App, socket: Socket) -> None:
        self._app = app
        self._socket = socket
        self._session = CoordinatorSession(
            app.identity, nonce=app.store.entropy(32), rotations=app.rotations
        )
        self._name = app.store.entropy(16).hex()
        self._knocking = True
        self._asked: tuple[str, str] | None = None
        self._poke = anyio.Event()
        self._host: Host | None = None
        self._public_key = b""
        self._resumes = True
        self._artifacts = ArtifactDesk(app)
        self._dispatch: Dispatch | None = None
        self._outbox, self._frames = anyio.create_memory_object_stream[bytes | CloseLink](OUTBOX)

    def ask_to_close(self, code: str, message: str) -> None:
        """Ask the link to say a last word and end."""
        self._asked = self._asked or (code, message)
        self._poke.set()

    async def run(self) -> None:
        """Carry the link from its first frame to its last."""
        async with self._outbox, self._frames, anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, tasks)
            tasks.start_soon(self._keep_time)
            await self._act(self._session.start(anyio.current_time()), tasks)
            await self._read(tasks)

    async def farewell(self) -> None:
        """Give back what the link held; the host shows up as cut off if this was its link."""
        self._admitted()
        host = self._host
        if host is None:
            return
        self._app.links.drop(host.node_id, self)

        def cut_off(tx: Tx) -> None:
            if presence.disconnect(tx, host.node_id, self._name):
                tx.wake(f"node:{host.node_id}")

        with anyio.move_on_after(FAREWELL_SECONDS, shield=True):
            try:
                await self._app.store.write(cut_off)
            except STORE_FAULTS as error:
                _log.warning("disconnect_not_stored", node=host.node_id, error=str(error))

    def _admitted(self) -> None:
        if self._knocking:
            self._knocking = False
            self._app.links.give_back(self._socket.peer)

    @property
    def _over(self) -> bool:
        return self._session.state is CoordinatorState.CLOSED

    async def _read(self, tasks: TaskGroup) -> None:
        while not self._over:
            frame = await self._socket.receive()
            if frame is None:
                tasks.cancel_scope.cancel()
                return
            await self._act(self._session.receive(frame, anyio.current_time()), tasks)

    async def _write(self, tasks: TaskGroup) -> None:
        async for item in self._frames:
            with anyio.fail_after(SEND_SECONDS):
                if isinstance(item, CloseLink):
                    reason = f"{item.code}: {item.message}".encode()[:120].decode(errors="ignore")
                    await self._socket.close(CLOSE_NORMAL, reason)
                    break
                await self._socket.send(item)
        tasks.cancel_scope.cancel()

    async def _keep_time(self) -> None:
        while not self._over:
            wake = self._session.next_wake()
            deadline = anyio.current_time() + SEND_SECONDS if wake is None else wake
            with anyio.CancelScope(deadline=deadline):
                await self._poke.wait()
            actions = (
                self._session.close(*self._asked)
                if self._asked is not None
                else self._session.tick(anyio.current_time())
            )
            await self._put(actions)

    async def _act(self, actions: list[Action], tasks: TaskGroup) -> None:
        for action in actions:
            match action:
                case Authenticated():
                    await self._enter(action, tasks)
                case Received(message=message):
                    await self._take(message)
                case _:
                    await self._put([action])

    async def _put(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(frame=frame):
                    await self._outbox.send(frame)
                case CloseLink():
                    _log.info("link_closed", node=self._node, code=action.code)
                    await self._outbox.send(action)
                case Log():
                    _log.debug("link", node=self._node, text=action.text)
                case _:
                    raise AssertionError(f"{action} is not for the wire")

    @property
    def _node(self) -> str:
        return self._host.node_id if self._host is not None else self._socket.peer

    async def _enter(self, proven: Authenticated, tasks: TaskGroup) -> None:
        entry = await self._app.store.write(partial(self._register, proven=proven))
        self._admitted()
        if isinstance(entry, Rejected):
            await self._put(self._session.reject(entry))
            return
        node_id, known = proven.node_id, entry.known
        self._host = Host(node_id, known.scope, known.name)
        self._public_key = proven.hello.public_key
        self._dispatch = Dispatch(
            self._app,
            entry.hello,
            node_id=node_id,
            approval=known.approval,
            cloned=known.cloned,
            acked=entry.acked,
            send=self._send,
        )
        self._app.links.put(node_id, self)
        welcome = Welcome(
            node_id=node_id,
            approval=known.approval,
            acked=entry.acked,
            roster_version=entry.roster_version,
            time=self._app.clock(),
            scope=known.scope,
            name=known.name,
            ratchet_seq=entry.ratchet.seq,
            ratchet=entry.ratchet.value,
        )
        await self._put(self._session.welcome(welcome, anyio.current_time()))
        tasks.start_soon(self._dispatching, self._dispatch)

    def _register(self, tx: Tx, proven: Authenticated) -> _Entry | Rejected:
        hello = proven.hello
        known = agents.register(
            tx,
            hello=hello,
            node_id=proven.node_id,
            public_key=hello.public_key,
            secret=proven.enrolment_secret,
            peer=self._socket.peer,
            identity_public=self._app.identity.public,
        )
        if isinstance(known, Rejected):
            return known
        if known.approval == "rejected":
            return Rejected("rejected", "an operator rejected this host", REJECTED_SECONDS)
        peer = Peer(hello.hostname, self._socket.peer, tx.now)
        offered = clones.judge(tx, proven.node_id, proven.claim, peer)
        if isinstance(offered, Rejected):
            return offered
        # The new link may have made it one of several that hold the key.
        known = agents.approval_of(tx, proven.node_id) or known
        presence.connect(
            tx,
            proven.node_id,
            session=self._name,
            peer=self._socket.peer,
            hostname=hello.hostname,
            agent_version=hello.agent_version,
            roster_version=hello.roster_version,
        )
        if journals.is_open(tx, proven.node_id):
            # What it keeps is asked for from the start; it may keep nothing, and gets work then.
            hello = msgspec.structs.replace(hello, journal_head=0)
        held = rosters.current(tx)
        acked = journals.head(tx, proven.node_id).seq
        return _Entry(known, hello, acked, held.version if held is not None else 0, offered)

    async def _dispatching(self, dispatch: Dispatch) -> None:
        await dispatch.run()
        if self._app.hub.closed:
            self.ask_to_close("going_away", "the coordinator stops")

    async def _send(self, message: Down) -> bool:
        if self._over:
            return False
        match message:
            case Welcome():
                actions = self._session.welcome(message, anyio.current_time())
            case Rejected():
                actions = self._session.reject(message)
            case _:
                actions = self._session.send(message)
        await self._put(actions)
        return not self._over

    async def _take(self, message: msgspec.Struct) -> None:
        host, dispatch = self._host, self._dispatch
        if host is None or dispatch is None:
            return
        match message:
            case Journal() if dispatch.cloned:
                # Not acknowledged, so it comes again over the link of whoever is chosen.
                pass
            case Journal(entries=entries):
                take_in = partial(
                    journal_intake.take_in,
                    host=host,
                    public_key=self._public_key,
                    entries=entries,
                    approved=dispatch.approved,
                    resumes=self._resumes,
                )
                self._resumes = False
                intake = await self._app.store.write(take_in)
                await self._acknowledge(dispatch, intake)
            case Heartbeat():
                offered = frozenset(dispatch.offered) if dispatch.caught_up else None
                await self._app.store.write(
                    partial(link_reports.heartbeat, host=host, message=message, offered=offered)
                )
            case Facts():
                await self._app.store.write(partial(link_reports.facts, host=host, message=message))
            case ArtifactAsk():
                approved = dispatch.approved
                await self._send(await self._artifacts.answer(host, message, approved=approved))
            case Close():
                _log.info("agent_closed", node=host.node_id, code=message.code[:64])
            case _:
                raise AssertionError(f"{type(message).__name__} is not an agent's message")

    async def _acknowledge(self, dispatch: Dispatch, intake: journal_intake.Intake) -> None:
        if self._over:
            return
        await self._put(self._session.send(Ack(intake.acked)))
        dispatch.acknowledged(intake.acked)
        if intake.fault is not None:
            await self._put(self._session.close(intake.fault.code, intake.fault.message))


class _WebSocket:
    """The framework's connection as a `Socket`."""

    def __init__(self, socket: WebSocket[object, object, State]) -> None:
        self._socket = socket
        client = socket.client
        self.peer = client.host if client is not None else "unknown"

    async def receive(self) -> bytes | None:
        try:
            # A text frame arrives as nothing here, which is no message: the session ends the link.
            return await self._socket.receive_data(mode="binary")
        except WebSocketDisconnect:
            return None

    async def send(self, frame: bytes) -> None:
        try:
            await self._socket.send_bytes(frame)
        except WebSocketDisconnect as error:
            raise ConnectionResetError("the agent has gone") from error

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._socket.close(code, reason)
        except WebSocketDisconnect as error:
            raise ConnectionResetError("the agent has gone") from error


@websocket(PATH)
async def link_route(
    socket: WebSocket[object, object, State], context: NamedDependency[SkipValidation[App]]
) -> None:
    """Take an agent's connection."""
    await socket.accept()
    await serve(context, _WebSocket(socket))
