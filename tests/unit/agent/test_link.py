"""The edge of the link: the pinned certificate, frames in order, and every way it can break."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from trio_websocket import WebSocketRequest, serve_websocket

from agent import link
from agent.link import LinkError
from protocol.errors import RemoteProtocolError
from protocol.limits import MAX_FRAME


def certificate(path: Path) -> tuple[ssl.SSLContext, str]:
    """A self-signed certificate as a coordinator makes it, and its fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "c")])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = path / "cert.pem"
    file.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    der = made.public_bytes(serialization.Encoding.DER)
    return context, hashlib.sha256(der).hexdigest()


async def echo(request: WebSocketRequest) -> None:
    """Send each frame back, then text and a close when asked for them."""
    assert request.path == "/base/api/v1/agents/link"
    socket = await request.accept()
    while True:
        frame = await socket.get_message()
        if frame == b"text":
            await socket.send_message("text")
        elif frame == b"ping":
            await socket.ping()
            await socket.send_message(frame)
        elif frame == b"long":
            await socket.send_message(b"x" * (MAX_FRAME + 1))
        elif frame == b"close":
            await socket.aclose(1008, "enough")
            return
        else:
            await socket.send_message(frame)


async def test_frames_go_both_ways_over_pinned_tls(nursery: trio.Nursery, tmp_path: Path) -> None:
    """A pinned certificate needs no name and no authority; big frames arrive whole."""
    context, fingerprint = certificate(tmp_path)
    server = await nursery.start(serve_websocket, echo, "127.0.0.1", 0, context)
    url = f"https://127.0.0.1:{server.port}/base/"
    async with link.connect(url, fingerprint) as frames:
        for frame in (b"one", b"x" * MAX_FRAME, b"ping"):
            await frames.send(frame)
            assert await frames.receive() == frame


async def test_another_certificate_is_refused_before_anything_is_said(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    """Neither another pin, nor a public authority's word, nor plain text will do."""
    context, fingerprint = certificate(tmp_path)
    asked: list[str] = []

    async def never(request: WebSocketRequest) -> None:
        asked.append(request.path)
        await request.reject(500)

    server = await nursery.start(serve_websocket, never, "127.0.0.1", 0, context)
    tls, plain = (f"{scheme}://127.0.0.1:{server.port}" for scheme in ("https", "http"))
    for url, pin in ((tls, "ab" * 32), (tls, ""), (plain, fingerprint)):
        with pytest.raises(LinkError):
            async with link.connect(url, pin):
                pytest.fail("connected")
    assert asked == []


@pytest.mark.parametrize(
    ("word", "error"),
    [(b"text", RemoteProtocolError), (b"long", RemoteProtocolError), (b"close", LinkError)],
)
async def test_a_peer_that_breaks_the_rules_ends_the_link(
    nursery: trio.Nursery, word: bytes, error: type[Exception]
) -> None:
    """Text, a frame over the limit and a close each end it with a reason."""
    server = await nursery.start(serve_websocket, echo, "127.0.0.1", 0, None)
    async with link.connect(f"http://127.0.0.1:{server.port}/base", "") as frames:
        await frames.send(word)
        with pytest.raises(error):
            await frames.receive()


async def test_what_is_no_link_is_an_error(nursery: trio.Nursery) -> None:
    """A refused port, a rejected path and a server of something else are told."""

    async def rejecting(request: WebSocketRequest) -> None:
        await request.reject(404)

    async def talking(stream: trio.SocketStream) -> None:
        await stream.send_all(b"SSH-2.0-other\r\n")
        await stream.aclose()

    web = await nursery.start(serve_websocket, rejecting, "127.0.0.1", 0, None)
    other = (await nursery.start(trio.serve_tcp, talking, 0))[0].socket.getsockname()[1]
    for port in (web.port, other, 1):
        with pytest.raises(LinkError):
            async with link.connect(f"http://127.0.0.1:{port}", ""):
                pytest.fail("connected")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "url",
    ["https://h:99999", "https://[", "http://" + "a" * 64 + ".x", "http://a\0b", "http://", "x"],
)
async def test_an_address_that_cannot_be_dialled_is_a_link_error(url: str) -> None:
    """Whatever stands in the pins, the agent says so and goes on."""
    with pytest.raises(LinkError):
        async with link.connect(url, ""):
            pytest.fail("connected")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "header",
    [b"Sec-WebSocket-Protocol: \xff", b"Sec-WebSocket-Extensions: \xff", b"Upgrade: \xff"],
)
async def test_an_answer_that_is_no_text_is_a_link_error(
    nursery: trio.Nursery, header: bytes
) -> None:
    """A hostile server in the place of the coordinator breaks a link, not the agent."""

    async def talking(stream: trio.SocketStream) -> None:
        await stream.receive_some(4_096)
        await stream.send_all(b"HTTP/1.1 101 ok\r\n" + header + b"\r\n\r\n")
        await stream.aclose()

    server = (await nursery.start(trio.serve_tcp, talking, 0))[0].socket.getsockname()[1]
    with pytest.raises(LinkError):
        async with link.connect(f"http://127.0.0.1:{server}", ""):
            pytest.fail("connected")


def test_the_first_error_of_a_group_speaks_for_it() -> None:
    """Tasks of one link fail together."""
    group = ExceptionGroup("a", [ExceptionGroup("b", [LinkError("first")]), LinkError("second")])
    assert str(link.first_of(group)) == "first"
