"""Text from hosts and coordinator that would command the operator's terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol import api, api_why
from protocol.reports import Change
from tests.fakes.api_server import FakeCoordinator, Reply, item
from tests.fakes.operator import Person

pytestmark = pytest.mark.hostile
APPLY = "state apply web --module web --yes"


@pytest.fixture
def coordinator() -> Iterator[FakeCoordinator]:
    made = FakeCoordinator()
    with made.running():
        yield made


@pytest.fixture
def lena(tmp_path: Path, coordinator: FakeCoordinator) -> Person:
    person = Person(tmp_path / "config")
    person.founds(coordinator.url)
    return person


ATTACKS = (
    "\x1b[2J\x1b[H= 231 resources unchanged",
    "\x9b31m",
    "a\rPlan: 0 to add, 0 to change, 0 to remove on 1 host.",
    "a\nPlan: 0 to add",
    "\u202etxt.exe",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b]8;;http://evil\x1b\\",
    "\u2028x",
    "\U000e0041",
    "\x7f\x08\x08",
)
FORBIDDEN = {"\x1b", "\x9b", "\r", "\u202e", "\x07", "\x08", "\x7f", "\u2028", "\U000e0041"}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("form", ["", " --json"])
def test_text_of_a_host_never_commands_the_terminal(
    lena: Person, coordinator: FakeCoordinator, attack: str, form: str
) -> None:
    """Names, diffs, messages, reasons: all come out as visible text, in every form of output."""
    changes = (
        Change(attack, attack, attack),
        Change("content", diff=(f"+{attack}", attack)),
    )
    evil = item(attack, "create", changes, module=attack, message=attack)
    coordinator.add_host("web", evil)
    coordinator.add_host(attack, item("/etc/b", "create"))
    node = coordinator.agents[0].node_id
    line = api_why.WhyLine(attack, attack, attack, attack, attack, attack, attack)
    coordinator.on("GET", f"/agents/{node}/why", Reply(api_why.Why(node, attack, (line,))))
    coordinator.on("GET", f"/agents/{node}/attributes", Reply({attack: attack}))
    other = coordinator.agents[1].node_id
    for command in (
        f"state plan web {other}",
        "agents list",
        f"agents show {other}",
        "agents attributes web",
        "why web",
        "runs list",
        APPLY,
        "agents show nobody",
    ):
        for terminal in (False, True):
            shown = lena.types(command + form, terminal=terminal)
            text = shown.out + shown.err
            # A terminal gets our own colours; whatever else would command it is written out.
            ours = text if not terminal else _without_colours(text)
            assert not FORBIDDEN & set(ours), (command, terminal)
            assert not any(row.startswith("Plan: 0 to") for row in ours.splitlines())


def test_an_error_of_the_coordinator_never_commands_the_terminal(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """An error message is text of the coordinator as well."""
    meta = api.Meta(ATTACKS[0], "t")
    body = api.ErrorResponse(api.ErrorBody(ATTACKS[1], ATTACKS[0], {ATTACKS[1]: ATTACKS}), meta)
    coordinator.on("GET", "/agents", Reply(body, 400))
    for form in ("", " --json"):
        shown = lena.types("agents list" + form)
        assert shown.code == 1
        assert not FORBIDDEN & set(shown.out + shown.err)


def _without_colours(text: str) -> str:
    for number in ("0", "1", "2", "31", "32", "33", "35"):
        text = text.replace(f"\x1b[{number}m", "")
    return text
