"""`standfast why`: how it is now, cause and next command."""

from __future__ import annotations

from protocol import api_why
from protocol.reports import DriftRecord
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person


def known(coordinator: FakeCoordinator, lines: int) -> None:
    node = coordinator.add_host("web")
    line = api_why.WhyLine(
        "2026-01-01T00:00:00Z", "replayed", "used up", "decision x", "standfast y", "warning", "r1"
    )
    coordinator.on("GET", f"/agents/{node}/why", Reply(api_why.Why(node, "web", (line,) * lines)))
    looked = DriftRecord("d", node, "event", 1_767_225_600.0, "in_sync")
    coordinator.on("GET", f"/agents/{node}/drift", Reply([looked] * bool(lines)))


def test_each_line_has_code_cause_and_next_command(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """How the host is now comes first: what is below may long be over."""
    known(coordinator, 1)
    assert lena.types("why web").out.splitlines() == [
        "web: approved; connected; in sync, seen 2026-01-01T00:00:00Z",
        "web  2026-01-01T00:00:00Z (run r1)",
        "  ! replayed: used up",
        "    decision x",
        "    next: standfast y",
    ]


def test_a_host_of_which_nothing_is_known_says_so(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    known(coordinator, 0)
    assert lena.types("why web").out.splitlines() == [
        "web: approved; connected",
        "nothing to explain",
    ]


def test_a_long_story_is_cut_and_says_how_to_read_it_all(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    known(coordinator, 12)
    shown = lena.types("why web").out
    assert shown.count("replayed") == 10
    assert shown.endswith("2 older; all of them: standfast why web --limit 12\n")
    assert lena.types("why web --limit 12").out.count("replayed") == 12
