"""`standfast clones`: who holds a host's key, and which of them is the host."""

from __future__ import annotations

import json

from protocol.api_clones import Clones, Holder
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person


def test_holders_are_listed_and_one_is_kept(lena: Person, coordinator: FakeCoordinator) -> None:
    """Nothing is chosen without a yes, and the choice names host and holder."""
    node_id = coordinator.add_host("web")
    holders = (
        Holder("01A", "web.example", "192.0.2.1", 1_700_000_000, 7, kept=False),
        Holder("01B", "web.example", "192.0.2.9", 1_700_000_000, 1, kept=False),
    )
    found = Clones(node_id, "web", True, holders)
    coordinator.on("GET", "/clones", Reply([found]))
    coordinator.on("GET", f"/agents/{node_id}/clones", Reply(found))
    for line in ("clones list", "clones list web"):
        rows = lena.types(line).rows
        assert [row[:5] for row in rows] == [
            ["web", "01A", "web.example", "192.0.2.1", "7"],
            ["web", "01B", "web.example", "192.0.2.9", "1"],
        ]
    path = f"/agents/{node_id}/clones"
    coordinator.on("POST", path, Reply(found))
    assert lena.types("clones keep web 01A").code == 2
    assert coordinator.sent("POST", path) == []
    assert lena.types("clones keep web 01A --yes").code == 0
    (sent,) = coordinator.sent("POST", path)
    assert json.loads(sent.body) == {"holder_id": "01A"}
