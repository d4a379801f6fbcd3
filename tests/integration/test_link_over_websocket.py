"""The link over a real WebSocket: the framework's route under the real server, a real client."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio
import uvicorn
from litestar import Litestar
from litestar.di import Provide
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from coordinator.config import CoordinatorConfig
from coordinator.context import App
from coordinator.hub import Hub
from coordinator.link import PATH, link_route
from coordinator.links import Links
from coordinator.store.database import Store
from protocol import api, messages
from protocol.limits import MAX_FRAME
from protocol.messages import Ack, Close, Offer, Welcome
from tests.fakes.fleet import FakeHost
from tests.fakes.link_agent import IDENTITY, PATIENCE, LinkAgent, LinkedFleet
from tests.fakes.stores import FrozenClock

pytestmark = pytest.mark.integration


@contextmanager
def serving(app: App) -> Generator[int]:
    """Serve the link route in a thread; gives the port."""

    async def context() -> App:
        return app

    litestar = Litestar([link_route], dependencies={"context": Provide(context)})
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # From here on clients may connect; the server takes them once it runs.
    listener.listen()
    config = uvicorn.Config(
        litestar,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME + 65_536,
        lifespan="off",
        log_config=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Generator[LinkedFleet]:
    clock, hub = FrozenClock(), Hub()
    store = Store.open(
        f"sqlite:///{tmp_path / 'c.db'}",
        clock=clock,
        artifacts=tmp_path / "artifacts",
        on_commit=hub.wake,
    )
    made = LinkedFleet(store)
    made.clock, made.hub = clock, hub
    made.app = App(store, hub, IDENTITY, CoordinatorConfig(), clock, "", Links())
    yield made
    trio.run(store.aclose)


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[WebSocketConnection]:
    """A client's connection; its socket is closed at the end whoever ended the talk."""
    async with (
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
        trio.open_nursery() as nursery,
    ):
        try:
            yield await wrap_client_stream(nursery, stream, f"127.0.0.1:{port}", PATH)
        finally:
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def relay(port: int, agent: LinkAgent) -> AsyncGenerator[None]:
    """Carry the agent's frames over a real connection until the block ends."""
    async with (
        connected(port) as ws,
        trio.open_nursery() as nursery,
    ):

        async def up() -> None:
            while (frame := await agent.socket.receive()) is not None:
                await ws.send_message(frame)

        async def down() -> None:
            while True:
                message = await ws.get_message()
                assert isinstance(message, bytes)
                await agent.socket.send(message)

        nursery.start_soon(up)
        nursery.start_soon(down)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()


async def test_a_run_goes_over_a_real_connection(fleet: LinkedFleet) -> None:
    """Handshake, offer, journal, ack: and what was acknowledged is in the file."""
    host: FakeHost = fleet.add(10)
    run = fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=("site",)))
    agent = LinkAgent(host)
    with serving(fleet.app) as port, trio.fail_after(4 * PATIENCE):
        async with relay(port, agent):
            assert isinstance(await agent.shake(), Welcome)
            offer = await agent.expect(Offer)
            plan = host.plan("/srv/a")
            entries = tuple(host.result(offer, plan, digest=plan.digest))
            await agent.say(messages.Journal(entries))
            assert (await agent.expect(Ack)).seq == len(entries)
            assert fleet.run(run.run_id).phase == "completed"


@pytest.mark.hostile
@pytest.mark.parametrize("frame", [bytes(MAX_FRAME + 1), b"\xc1", b"", "text"])
async def test_a_bad_frame_closes_with_a_reason(fleet: LinkedFleet, frame: bytes | str) -> None:
    """Too large, no message, empty or text: the peer hears why, others are served."""
    agent = LinkAgent(fleet.add(10))
    with serving(fleet.app) as port, trio.fail_after(4 * PATIENCE):
        async with connected(port) as ws:
            await ws.send_message(frame)
            last = messages.decode_down(bytes_of(await ws.get_message()))
            assert isinstance(last, Close)
            assert last.code == "bad_frame"
            with pytest.raises(ConnectionClosed):
                await ws.get_message()
        async with relay(port, agent):
            assert isinstance(await agent.shake(), Welcome)


def bytes_of(message: str | bytes) -> bytes:
    """A binary frame's bytes."""
    assert isinstance(message, bytes)
    return message
