"""`standfast run`: what is wrong with a line is said before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.commands import Command
from tests.fakes.api_commands import CommandCoordinator
from tests.fakes.operator import Person


@pytest.fixture
def coordinator() -> Iterator[CommandCoordinator]:
    made = CommandCoordinator()
    with made.running():
        yield made


@pytest.mark.parametrize(
    "line",
    [
        "run --on role=web",
        "run true",
        "run true --on role=web --timeout soon",
        "run true --on role=web --env A",
        "run true --on role=web --rlimit core=many",
        "run true --on role=web --rlimit nice=1",
        "run true --on role=web --transcript",
        "run true --on role=web --cwd here",
        "run true --preview --on role=web",
    ],
)
def test_a_wrong_line_is_a_usage_error(
    lena: Person, coordinator: CommandCoordinator, line: str
) -> None:
    """Exit code 2, and no command was made."""
    coordinator.add_host("web1")
    assert lena.types(line).code == 2
    assert not coordinator.sent("POST", "/commands")


def test_every_option_reaches_the_document(
    lena: Person, coordinator: CommandCoordinator, tmp_path: Path
) -> None:
    """As it was typed."""
    coordinator.add_host("web1")
    script, given = tmp_path / "s", tmp_path / "i"
    script.write_text("id\n", "utf-8")
    given.write_bytes(b"\x00in")
    line = (
        f"run --node web1 --script {script} --stdin {given} --shell /bin/bash --user u --cwd /srv"
        " --env A=b=c --rlimit nofile=9 --timeout 2m --expires 1h --transcript --no-wait --json"
    )
    assert set(lena.types(line).document()) == {"command_id", "next"}
    assert coordinator.info is not None
    assert coordinator.info.expires_at is not None
    wanted = {"shell": "/bin/bash", "transcript": True}
    assert coordinator.info.command == Command(
        script="id\n", user="u", cwd="/srv", env={"A": "b=c"}, stdin=b"\x00in",
        timeout_ms=120_000, rlimits={"nofile": 9}, **wanted,  # type: ignore[arg-type]  # by name
    )  # fmt: skip


def test_a_preview_shows_who_is_meant_and_makes_nothing(
    lena: Person, coordinator: CommandCoordinator
) -> None:
    """With who is away."""
    node = coordinator.add_host("web1")
    coordinator.away = {node}
    shown = lena.types("run --preview --on role=web")
    assert shown.rows == [[node, "web1", "away", "2026-01-01T00:00:00Z"]]
    assert not coordinator.sent("POST", "/commands")
