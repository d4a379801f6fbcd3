"""The program: its commands, its start-up and its exit codes."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from protocol.errors import StandfastError
from state_engine.cli.main import COMMANDS, group, run

PROBE = (
    "import sys; from state_engine.cli.main import run; code = run(['--help']);"
    "heavy = [m for m in sys.modules if m.split('.')[0] in {'yaml', 'rich', 'trio'}];"
    "sys.exit(code or (f'imported {heavy}' if heavy else 0))"
)


def test_help_names_every_command_and_imports_none_of_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_found_under_its_name(name: str) -> None:
    found = group.get_command(click.Context(group), name)
    assert found is not None
    assert found.name == name
    assert found.help


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--version"], 0, "standfast-state 0."),
        (["valdate"], 2, "Did you mean 'validate'?"),
        (["zzz"], 2, "No such command 'zzz'."),
        (["validate"], 2, "Missing argument"),
        (["validate", "--nope"], 2, "No such option"),
        (["validate", "/no/such/file"], 2, "does not exist"),
    ],
)
def test_wrong_usage_is_two_and_says_what_is_right(
    arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    captured = capsys.readouterr()
    assert says in captured.out + captured.err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (StandfastError("the disk is full"), 1, "Error: the disk is full"),
        (click.ClickException("no"), 1, "Error: no"),
    ],
)
def test_an_exception_becomes_an_exit_code(
    error: BaseException,
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    failing = click.Group(commands={"fail": click.Command("fail", callback=fail)})
    assert run(["fail"], failing) == code
    assert says in capsys.readouterr().err
