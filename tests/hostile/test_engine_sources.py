"""A web server that wants the host's engine to break, to wait for ever, or to ask others for it."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from state_engine.host import clock
from state_engine.host.files import LinuxFiles
from state_engine.host.sources import MAX_ADDRESSES, LinuxSources, SourcePolicy
from state_engine.ports import PortError

pytestmark = pytest.mark.hostile
DIGEST = hashlib.sha256(b"x").hexdigest()
Place = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]


@contextmanager
def answering(answer: bytes, times: int = 1) -> Generator[int, None, None]:
    """Serve the same bytes to whoever comes, so many times; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10.0)

        def serve() -> None:
            for _ in range(times):
                try:
                    peer, _place = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(65_536)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10.0)


def sources(tmp_path: Path, policy: SourcePolicy | None = None) -> LinuxSources:
    return LinuxSources(tmp_path / "sources", LinuxFiles(), policy=policy)


def leading_to(place: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: " + place + b"\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "place",
    [
        b"http://[",
        b"http://[::1",
        b"http://a..b/",
        b"http://" + b"a" * 64 + b"/",
        b"http://h:99999999/",
        b"//[/",
        b"http://h/\x00",
        b"\xff\xfe",
        b"",
    ],
)
def test_a_server_cannot_break_the_apply_by_where_it_leads(tmp_path: Path, place: bytes) -> None:
    """What is no address is a refusal, which fails one item and not the whole apply."""
    with answering(leading_to(place), times=7) as port, pytest.raises(PortError):
        sources(tmp_path).fetch(f"http://127.0.0.1:{port}/", DIGEST)


@pytest.mark.parametrize("url", ["http://[", "http://[::1", "https://a..b/", "file://[x/y"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(PortError):
        sources(tmp_path).fetch(url, DIGEST)


def resolving(over: pytest.MonkeyPatch, names: dict[str, list[str]]) -> None:
    """Let names lead to addresses, as the one who holds the name's zone likes it."""

    def getaddrinfo(host: str, port: int, **_: object) -> list[Place]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in names.get(host, [host])
        ]

    over.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("near", ["127.0.0.1", "127.8.8.8", ".".join("0000"), "169.254.1.1"])
def test_a_name_does_not_lead_to_what_trusts_this_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: str
) -> None:
    """Its loopback, and a cloud's metadata, are asked only where the address itself names them."""
    resolving(monkeypatch, {"mirror.example": [near]})
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") as port:
        with pytest.raises(PortError) as caught:
            sources(tmp_path).fetch(f"http://mirror.example:{port}/", DIGEST)
        assert caught.value.code == "EACCES"
        assert sources(tmp_path).fetch(f"http://127.0.0.1:{port}/", DIGEST) == b"x"


def test_neither_does_a_redirect(tmp_path: Path) -> None:
    """The server that was approved is not the one to say where else this host asks."""
    fetching = sources(tmp_path)
    with answering(leading_to(b"http://127.0.0.1:1/latest/meta-data")) as port:
        url = f"http://127.0.0.1:{port}/"
        following = fetching._ask(url, clock.monotonic() + 60.0, near=True)
        assert following == "http://127.0.0.1:1/latest/meta-data"
    with pytest.raises(PortError) as caught:
        fetching._ask(following, clock.monotonic() + 60.0, near=False)
    assert caught.value.code == "EACCES"


def test_a_name_with_many_silent_addresses_does_not_hold_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few are tried, each within what is left of the time for all of it."""
    tried: list[tuple[str, float | None]] = []

    class Silent(socket.socket):
        def connect(self, address: object) -> None:
            assert isinstance(address, tuple)
            tried.append((str(address[0]), self.gettimeout()))
            raise TimeoutError("timed out")

    resolving(monkeypatch, {"mirror.example": [f"192.0.2.{n}" for n in range(200)]})
    fetching = sources(tmp_path, SourcePolicy(silence=30.0, whole=5.0))
    with monkeypatch.context() as over:
        over.setattr(socket, "socket", Silent)
        with pytest.raises(PortError):
            fetching.fetch("http://mirror.example/", DIGEST)
    assert len(tried) == MAX_ADDRESSES
    assert all(limit is not None and limit <= 5.0 for _, limit in tried)
