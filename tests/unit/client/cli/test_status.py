"""`standfast status`: health, and whether it is the coordinator that we know."""

from __future__ import annotations

import socket

from protocol import api, handshake
from protocol.keys import SigningKey
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person


def test_status_works_before_a_log_in_and_pins_the_key(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """It needs no operator; with one it logs in, but never where the key has changed."""
    key = lena.directory / "operator.key"
    held = key.read_bytes()
    key.unlink()
    shown = lena.types("status --json").document()
    assert shown["key_pinned"] is True
    plain = lena.types("status").out
    assert "roster\tshown to operators only (no operator key here" in plain
    assert "none yet" not in plain
    assert coordinator.sent("POST", "/auth/challenge") == []
    key.write_bytes(held)
    key.chmod(0o600)
    assert lena.types("status").code == 0
    assert coordinator.sent("GET", "/status")[-1].headers["authorization"] == "Bearer token-1"
    other = SigningKey(b"\x08" * 32).public.hex()
    coordinator.on("GET", "/status", Reply(api.Status(1, "ok", other, agents={"approved": 2})))
    text = lena.types("status").out
    assert "NOT the pinned key" in text
    assert "its key is not the pinned one" in text
    assert "2 approved" in text


def test_status_follows_a_successor_that_the_pinned_key_named(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """What is pinned follows without a log-in, which one from before the change makes needless."""
    (lena.directory / "operator.key").unlink()
    assert lena.types("status").code == 0
    new = SigningKey(b"\x06" * 32)
    named = handshake.rotation(coordinator.identity, new.public, 1)
    answer = api.Status(1, "ok", new.public.hex(), rotations=(named,))
    coordinator.on("GET", "/status", Reply(answer))
    assert "(pinned)" in lena.types("status").out


def test_a_coordinator_that_is_not_there_is_waited_for_only_if_asked(stranger: Person) -> None:
    """Without --wait the answer comes at once, with it after that time; both name the address."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        stranger.founds(f"http://127.0.0.1:{closed.getsockname()[1]}")
        for line in ("status", "status --wait 1"):
            shown = stranger.types(line)
            assert shown.code == 1
            assert "refused" in shown.err
