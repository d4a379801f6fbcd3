"""`standfast why`: cause and next command."""

from __future__ import annotations

from protocol import api
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person


def test_each_line_has_code_cause_and_next_command(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """The same words as everywhere."""
    node = coordinator.add_host("web")
    line = api.WhyLine(
        "2026-01-01T00:00:00Z", "replayed", "used up", "decision x", "standfast y", "warning", "r1"
    )
    coordinator.on("GET", f"/agents/{node}/why", Reply(api.Why(node, "web", (line,))))
    assert lena.types("why web").out.splitlines() == [
        "web  2026-01-01T00:00:00Z (run r1)",
        "  ! replayed: used up",
        "    decision x",
        "    next: standfast y",
    ]
    coordinator.on("GET", f"/agents/{node}/why", Reply(api.Why(node, "web", ())))
    assert "nothing to explain" in lena.types("why web").out
