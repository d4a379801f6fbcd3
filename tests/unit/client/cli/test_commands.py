"""`standfast commands`: listed, shown, cancelled as a whole or on one host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.api_commands import CommandCoordinator
from tests.fakes.api_server import Reply
from tests.fakes.operator import Person


@pytest.fixture
def coordinator() -> Iterator[CommandCoordinator]:
    made = CommandCoordinator()
    with made.running():
        yield made


def test_commands_are_listed_shown_and_cancelled(
    lena: Person, coordinator: CommandCoordinator
) -> None:
    """A cancel asks first."""
    node = coordinator.add_host("web1")
    coordinator.text = {node: "hello\n"}
    assert lena.types("run uptime --node web1").code == 0
    assert coordinator.info is not None
    name = coordinator.info.id
    row = lena.types("commands list").rows[0]
    assert row[:3] == [name, "uptime", "1 pending"]
    assert "1 host: web1  exit 0\n  hello\n" in lena.types(f"commands show {name}").out
    assert set(lena.types(f"commands show {name} --json").document()) == {"command", "hosts"}
    coordinator.on("POST", f"/runs/{name}/cancel", Reply({}))
    assert lena.types(f"commands cancel {name}").code == 2
    assert lena.types(f"commands cancel {name} --yes").code == 0
    assert len(coordinator.sent("POST", f"/runs/{name}/cancel")) == 1
    assert lena.types(f"commands cancel {name} --node web1 --yes").code == 0
    assert len(coordinator.sent("POST", f"/command_executions/{node}/cancel")) == 1
    coordinator.add_host("web2")
    assert lena.types(f"commands cancel {name} --node web2 --yes").code == 4
