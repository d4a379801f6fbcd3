"""The server's settings; what it does as a process is in tests/integration/test_api.py."""

from __future__ import annotations

import socket

import pytest

from coordinator import serving
from coordinator.config import CoordinatorConfig
from protocol.limits import MAX_FRAME
from tests.fakes.api_site import site


async def test_the_peers_address_is_never_taken_from_a_header() -> None:
    async with site() as running:
        settings = serving._settings(running.context, None)
    assert not settings.proxy_headers
    assert not settings.server_header
    assert settings.ws_max_size > MAX_FRAME
    assert settings.timeout_graceful_shutdown is not None


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}"):
            serving._bind(CoordinatorConfig(api_port=port))


def test_a_free_port_that_was_taken_is_the_one_advertised() -> None:
    config = CoordinatorConfig(api_port=0)
    with serving._bind(config) as listener:
        port = listener.getsockname()[1]
        assert serving._advertised(config, listener).urls() == (f"https://127.0.0.1:{port}",)
