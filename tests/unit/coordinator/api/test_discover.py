"""POST /discover, with a real socket that listens."""

from __future__ import annotations

import socket

import pytest

from protocol import discovery
from tests.fakes.api_site import COORDINATOR_KEY, Site


async def test_a_signed_datagram_arrives_at_the_target(api: Site) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.bind(("127.0.0.1", 0))
        host.settimeout(5)
        target = f"127.0.0.1:{host.getsockname()[1]}"
        answer = await api.ask("POST", "/discover", {"target": target})
        assert (answer.status_code, answer.content) == (200, b"")
        announced = discovery.decode(host.recv(1_000))
    assert announced.coordinator_key == COORDINATOR_KEY.public
    assert announced.urls == api.context.config.urls()


@pytest.mark.parametrize("target", ["nowhere", "host.invalid:1", "127.0.0.1:0"])
async def test_a_target_that_is_none_is_400(api: Site, target: str) -> None:
    assert (await api.ask("POST", "/discover", {"target": target})).status_code == 400
