"""The edge of the agent link: TCP, TLS with the pinned certificate, WebSocket. Frames only.

What frames mean is `protocol.session`; when to connect is `services.link`.
"""

from __future__ import annotations

import hashlib
import ssl
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import trio

from protocol.errors import RemoteProtocolError, StandfastError
from protocol.limits import MAX_FRAME

if TYPE_CHECKING:
    from wsproto.events import Event

PATH = "/api/v1/agents/link"
# DNS, TCP and TLS over a slow satellite link take under 5 s.
CONNECT_SECONDS = 20.0
# A peer that reads nothing for this long is as good as dead.
SEND_SECONDS = 45.0
CLOSE_SECONDS = 1.0
_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)
_Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class LinkError(StandfastError):
    """The coordinator cannot be reached, or is not who it should be, at the level of TLS."""


class Frames(Protocol):
    """A connection that carries binary frames."""

    async def send(self, frame: bytes) -> None:
        """Send one frame; raises LinkError if the connection is gone."""
        ...

    async def receive(self) -> bytes:
        """Return the next frame; raises LinkError if the connection is gone."""
        ...


def first_of(group: BaseExceptionGroup[StandfastError]) -> StandfastError:
    """Return the first error in a group, however deep it lies."""
    for error in group.exceptions:
        return first_of(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group holds at least one error")


@asynccontextmanager
async def connect(url: str, fingerprint: str) -> AsyncGenerator[WebSocket]:
    """Open the link to a coordinator; its certificate is checked before anything is said.

    `fingerprint` is SHA-256 hex of the certificate; with "" a public authority must vouch for it.

    Raises:
        LinkError: unreachable, another certificate, or no link at that address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise LinkError(f"{url!r} is no address: {error}") from error
    secure = parts.scheme == "https"
    if not secure and fingerprint:
        raise LinkError(f"{url} has no TLS, but a certificate is pinned")
    port = port or (443 if secure else 80)
    try:
        with trio.fail_after(CONNECT_SECONDS):
            stream = await _open(host, port, fingerprint if secure else None)
    # A name that no resolver takes is a ValueError (as every UnicodeError is).
    except (OSError, ValueError, trio.BrokenResourceError, trio.TooSlowError) as error:
        raise LinkError(f"cannot connect to {url}: {str(error) or type(error).__name__}") from error
    try:
        socket = WebSocket(stream)
        shown = f"[{host}]" if ":" in host else host
        try:
            with trio.fail_after(CONNECT_SECONDS):
                await socket.open(f"{shown}:{port}", parts.path.rstrip("/") + PATH)
        except trio.TooSlowError as error:
            raise LinkError(f"no agent link at {url}: no answer") from error
        yield socket
        # In order: say so. After a fault or a cancel the connection is simply dropped.
        await socket.farewell()
    finally:
        with trio.move_on_after(CLOSE_SECONDS):
            await stream.aclose()


async def _open(
    host: str, port: int, fingerprint: str | None
) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    tcp = await trio.open_tcp_stream(host, port)
    if fingerprint is None:
        return tcp
    context = _context(fingerprint)
    stream = trio.SSLStream(tcp, context, server_hostname=host, https_compatible=True)
    try:
        await stream.do_handshake()
        check_certificate(stream.getpeercert(binary_form=True), fingerprint)
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


def _context(fingerprint: str) -> ssl.SSLContext:
    if not fingerprint:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The certificate itself is pinned: no name and no authority says more than that.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def check_certificate(certificate: bytes | None, fingerprint: str) -> None:
    """Return if the certificate is the pinned one.

    Raises:
        LinkError: it is another, or none.
    """
    if not fingerprint:
        return
    found = hashlib.sha256(certificate or b"").hexdigest()
    if found != fingerprint:
        raise LinkError(f"the TLS certificate {found[:16]}… is not the pinned {fingerprint[:16]}…")


class WebSocket:
    """Binary frames over a WebSocket (RFC 6455), client side; one task receives, others send."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        from wsproto import ConnectionType, WSConnection

        self._stream = stream
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._sending = trio.Lock()
        # Events of one read of 64 KiB, not handled yet.
        self._events: deque[Event] = deque()

    async def open(self, host: str, path: str) -> None:
        """Ask the server for a WebSocket.

        Raises:
            LinkError: it will not, or the connection broke.
        """
        from wsproto.events import AcceptConnection, RejectConnection, Request

        await self._send(Request(host=host, target=path))
        while True:
            event = await self._next()
            if isinstance(event, AcceptConnection):
                return
            if isinstance(event, RejectConnection):
                raise LinkError(f"{host}{path} answers {event.status_code} and is no agent link")

    async def send(self, frame: bytes) -> None:
        """Send one frame.

        Raises:
            LinkError: the connection is gone, or the peer reads nothing.
        """
        from wsproto.events import BytesMessage

        await self._send(BytesMessage(data=frame))

    async def receive(self) -> bytes:
        """Return the next frame.

        Raises:
            LinkError: the connection is gone.
            RemoteProtocolError: the frame is text, or longer than the protocol allows.
        """
        from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

        frame = bytearray()
        while True:
            event = await self._next()
            if isinstance(event, BytesMessage):
                frame += event.data
                if len(frame) > MAX_FRAME:
                    raise RemoteProtocolError(f"a frame is longer than {MAX_FRAME} bytes")
                if event.message_finished:
                    return bytes(frame)
            elif isinstance(event, TextMessage):
                raise RemoteProtocolError("the coordinator sent a text frame")
            elif isinstance(event, Ping):
                await self._send(event.response())
            elif isinstance(event, CloseConnection):
                raise LinkError(f"the link was closed: {event.code} {event.reason or ''}")

    async def farewell(self) -> None:
        """Say that the connection ends here; a peer that does not listen is not waited for."""
        from wsproto.events import CloseConnection

        with trio.move_on_after(CLOSE_SECONDS), suppress(LinkError):
            await self._send(CloseConnection(code=1000))

    async def _send(self, event: Event) -> None:
        from wsproto.utilities import LocalProtocolError

        async with self._sending:
            try:
                data = self._protocol.send(event)
                with trio.fail_after(SEND_SECONDS):
                    await self._stream.send_all(data)
            except (*_BROKEN, LocalProtocolError, trio.TooSlowError) as error:
                raise LinkError(f"the link broke while sending: {error}") from error

    async def _next(self) -> Event:
        from wsproto.utilities import RemoteProtocolError as BadFrame

        while not self._events:
            try:
                data = await self._stream.receive_some(65_536)
                self._protocol.receive_data(bytes(data) or None)
                self._events.extend(self._protocol.events())
            # Headers that are no text are a ValueError, and a fault of the peer like any other.
            except (*_BROKEN, BadFrame, ValueError) as error:
                raise LinkError(f"the link broke: {error}") from error
            if not data and not self._events:
                raise LinkError("the link was closed without a word")
        return self._events.popleft()
