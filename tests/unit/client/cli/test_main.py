"""The command itself: quick help, exit codes, errors in words."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import click
import pytest

from client.cli.main import COMMANDS, cli, main
from tests.fakes.operator import Person

PROBE = """
import sys
from client.cli.main import main
code = main(["--help"])
heavy = {"httpx", "rich", "cryptography", "client.session"} & set(sys.modules)
sys.exit(f"{code} {heavy}" if code or heavy else 0)
"""


def test_help_imports_nothing_that_is_slow() -> None:
    """Only click and the standard library are loaded before a command is chosen."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_the_list_says_and_has_help(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command: object = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert main([name, "--help"]) == 0
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    assert all(one.help for one in commands)


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("stat", 2, "Did you mean 'state'?"),
        ("agents list --nope", 2, "--nope"),
        ("agents show", 2, "NODE"),
        ("", 2, "Missing command"),
        ("--version", 0, ""),
        ("agents list --profile nowhere", 4, "no profile 'nowhere'"),
    ],
)
def test_wrong_command_lines_have_their_exit_code(
    stranger: Person, line: str, code: int, text: str
) -> None:
    shown = stranger.types(line)
    assert shown.code == code, shown
    assert text in shown.err + shown.out


def test_an_error_is_json_if_json_was_asked_for(stranger: Person) -> None:
    shown = stranger.types("agents list --json")
    assert not shown.out
    error = json.loads(shown.err)["error"]
    assert set(error) == {"code", "message", "where", "next"}
    assert error["code"] == "no_profile"


def test_an_interrupted_question_is_exit_code_130(stranger: Person) -> None:
    """The end of input at a question is the same as Ctrl-C."""
    assert stranger.types("profile create a --host h").code == 0
    assert stranger.types("profile remove a", answer="").code == 130


def test_a_reader_that_has_gone_is_no_crash(tmp_path: object) -> None:
    """`standfast … | head` ends without a trace."""
    words = ["--config-dir", str(tmp_path), "--help"]
    script = f"import sys; from client.cli.main import main; sys.exit(main({words}))"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(30) in {0, 1}


def test_the_root_lists_its_commands_in_order() -> None:
    assert cli.list_commands(click.Context(cli)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", ["", "agents"])
def test_a_group_without_a_command_shows_its_help_as_it_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says that nothing was done; the text is the help, not an error about it."""
    assert main([name] if name else []) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Usage: standfast")
    assert "error" not in shown.partition("\n")[0]


def test_the_version_of_a_checkout_is_that_of_its_project_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("standfast 0.")
