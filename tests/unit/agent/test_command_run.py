"""Watching a command: its end, its time, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import command_run
from agent.command_output import Collector
from agent.command_run import Ended
from protocol.commands import Command


@pytest.fixture
def said() -> list[str]:
    return []


def run(path: Path, said: list[str], command: Command, **options: object) -> Ended:
    output = Collector(path / "out", lambda _, __, text: said.append(text))
    try:
        ended = command_run.run(command, None, output, lambda: False, **options)  # type: ignore[arg-type]  # options of a test
        output.finish()
    finally:
        output.close()
    return ended


@pytest.mark.parametrize(
    ("script", "code"),
    [("true", 0), ("exit 3", 3), ("kill -KILL $$", 137), ("nowhere-such-program", 127)],
)
def test_the_code_follows_the_shell(
    tmp_path: Path, said: list[str], script: str, code: int
) -> None:
    """128 and the number for a signal."""
    ended = run(tmp_path, said, Command(script=script))
    assert (ended.ending, ended.exit_code) == ("exited", code)


def test_one_millisecond_is_enough_to_be_late(tmp_path: Path, said: list[str]) -> None:
    """The smallest timeout there is."""
    ended = run(tmp_path, said, Command(script="sleep 600", timeout_ms=1))
    assert (ended.ending, ended.exit_code) == ("timeout", 124)


def test_who_ignores_term_is_killed(tmp_path: Path, said: list[str]) -> None:
    """After a time of grace, and its last words are heard."""
    script = "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done"
    ended = run(tmp_path, said, Command(script=script, timeout_ms=500), grace=0.3)
    assert ended.ending == "timeout"
    assert "".join(said).startswith("up\n")
    assert "".join(said).endswith("no\n")
