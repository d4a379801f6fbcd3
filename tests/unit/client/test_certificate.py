"""The pin is compared in the handshake: nothing is said to a server that is not the pinned one."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from client.certificate import fetch_fingerprint, parse_fingerprint
from client.failures import BadUsageError, UnreachableError, UntrustedError
from client.transport import Transport
from tests.fakes.api_server import ApiServer, Reply
from tests.fakes.tls import certificate


def test_the_pinned_server_is_talked_to_and_another_hears_nothing(tmp_path: Path) -> None:
    context, pin = certificate(tmp_path)
    server = ApiServer()
    server.on("GET", "/x", Reply({}))
    with server.running(context):
        port = int(server.url.rpartition(":")[2])
        assert fetch_fingerprint("127.0.0.1", port) == pin
        good = Transport(server.url, pin)
        assert good.request("GET", "/api/v1/x").status == 200
        good.close()
        bad = Transport(server.url, "0" * 64)
        with pytest.raises(UntrustedError, match="another TLS certificate") as caught:
            bad.request("GET", "/api/v1/x", headers={"authorization": "Bearer secret"})
        bad.close()
        assert caught.value.where == f"it shows sha256:{pin}"
        assert len(server.requests) == 1


def test_a_server_without_tls_is_told_apart_from_no_server() -> None:
    server = ApiServer()
    with server.running(), pytest.raises(UnreachableError, match="does not speak TLS"):
        fetch_fingerprint("127.0.0.1", int(server.url.rpartition(":")[2]))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(UnreachableError, match=r"cannot connect to 127\.0\.0\.1"):
            fetch_fingerprint("127.0.0.1", port)


def test_a_fingerprint_is_read_in_the_forms_that_tools_print() -> None:
    plain = "ab" * 32
    colons = ":".join(["AB"] * 32)
    assert {parse_fingerprint(text) for text in (plain, colons, f"sha256:{plain} ")} == {plain}
    for text in ("", "ab", "zz" * 32):
        with pytest.raises(BadUsageError):
            parse_fingerprint(text)
