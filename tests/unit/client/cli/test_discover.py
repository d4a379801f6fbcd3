"""`standfast discover`: to everybody nearby, or to one."""

from __future__ import annotations

import msgspec

from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person


def test_the_target_is_passed_on(lena: Person, coordinator: FakeCoordinator) -> None:
    """Without one the local network is meant."""
    coordinator.on("POST", "/discover", Reply(raw=b""))
    assert "the local network" in lena.types("discover").out
    assert lena.types("discover --target h:1 --json").document()["target"] == "h:1"
    bodies = [msgspec.json.decode(one.body) for one in coordinator.sent("POST", "/discover")]
    assert [body["target"] for body in bodies] == [None, "h:1"]
