"""The web server: sockets, TLS, signals and the service manager, round the application."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import structlog
import uvicorn

from coordinator import logs
from coordinator.app import build
from coordinator.clock import read_clock
from coordinator.config import CoordinatorConfig
from coordinator.context import App
from coordinator.hub import Hub
from coordinator.identity import TlsFiles
from coordinator.links import Links
from coordinator.notify import Notifier
from coordinator.store.database import Store, Tx
from protocol import dsse, sdnotify
from protocol.errors import StandfastError
from protocol.keys import SigningKey
from protocol.limits import MAX_FRAME

# A frame that is too long is still read, so that the link can be closed with our own reason.
_WS_MAX = MAX_FRAME + 65_536
# Links and streams end when the hub closes; what is left after this is cut off.
_GRACE_SECONDS = 3
_log = structlog.get_logger("coordinator")


def serve(
    config: CoordinatorConfig,
    key: SigningKey,
    tls: TlsFiles | None,
    url: str,
    rotations: tuple[dsse.Envelope, ...] = (),
) -> None:
    """Serve until SIGTERM or SIGINT, then end in good order.

    `rotations` are the statements by which older keys named this one.

    Raises:
        StandfastError: the store cannot be opened.
        OSError: the address cannot be bound.
    """
    logs.configure(config.log_level)
    with _bind(config) as listener:
        hub = Hub()
        artifacts = Path(config.data_dir).absolute() / "artifacts"
        store = Store.open(url, clock=read_clock, artifacts=artifacts, on_commit=hub.wake)
        fingerprint = tls.fingerprint if tls is not None else ""
        settings = _advertised(config, listener)
        context = App(store, hub, key, settings, read_clock, fingerprint, Links(), rotations)
        Server(_settings(context, tls), context, Notifier.from_environment()).run([listener])


class Server(uvicorn.Server):
    """The server, with a word to the service manager and to the hub at start and end."""

    def __init__(self, settings: uvicorn.Config, context: App, notifier: Notifier) -> None:
        super().__init__(settings)
        self._context = context
        self._notifier = notifier

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, then say that we are ready."""
        await super().startup(sockets)
        if self.started:
            urls = ", ".join(self._context.config.urls())
            status = sdnotify.status(f"serving {urls}")
            self._notifier.send(sdnotify.together(sdnotify.READY, status))
            _log.info("ready", urls=urls, public_key=self._context.identity.public.hex())

    async def main_loop(self) -> None:
        """Turn until a signal comes, feeding the watchdog from this same loop."""
        async with self._feeding():
            await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let every stream and link end by itself, then close."""
        self._notifier.send(sdnotify.STOPPING)
        self._context.hub.close()
        self._context.links.close()
        await super().shutdown(sockets)

    @asynccontextmanager
    async def _feeding(self) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(self._notifier.feed, self._alive)
            try:
                yield
            finally:
                group.cancel_scope.cancel()

    async def _alive(self) -> bool:
        try:
            await self._context.store.read(_look)
        except StandfastError as error:
            _log.warning("watchdog not fed", error=str(error))
            return False
        return True


def _look(tx: Tx) -> None:
    tx.conn.exec_driver_sql("SELECT 1")


def _bind(config: CoordinatorConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.api_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.api_host, config.api_port))
    except OSError as error:
        listener.close()
        text = f"cannot listen on {config.api_host} port {config.api_port}: {error.strerror}"
        raise OSError(error.errno, text) from error
    return listener


def _advertised(config: CoordinatorConfig, listener: socket.socket) -> CoordinatorConfig:
    # Port 0 means a free one: from here on the settings name the one that was taken.
    return msgspec.structs.replace(config, api_port=listener.getsockname()[1])


def _settings(context: App, tls: TlsFiles | None) -> uvicorn.Config:
    config = context.config
    return uvicorn.Config(
        build(context),
        loop="auto",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=_WS_MAX,
        # The agent link has its own heartbeat.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        log_level=config.log_level,
        access_log=False,
        # The address of a peer is what the socket says, not what a header claims.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=os.fspath(tls.certificate) if tls is not None else None,
        ssl_keyfile=os.fspath(tls.key) if tls is not None else None,
    )
