"""`standfast status`: health, and whether it is the coordinator that we know."""

from __future__ import annotations

from protocol import api
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
    assert coordinator.sent("POST", "/auth/challenge") == []
    key.write_bytes(held)
    key.chmod(0o600)
    assert lena.types("status").code == 0
    assert coordinator.sent("GET", "/status")[-1].headers["authorization"] == "Bearer token-1"
    other = SigningKey(b"\x08" * 32).public.hex()
    coordinator.on("GET", "/status", Reply(api.Status(1, "ok", other, agents={"approved": 2})))
    text = lena.types("status").out
    assert "NOT the pinned key" in text
    assert "2 approved" in text
