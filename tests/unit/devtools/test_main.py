"""The command line of `./dev`."""

from __future__ import annotations

import pytest

from devtools.main import COMMANDS, main


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"], ["-h"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help needs nothing but this file, and leaves no command out."""
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in text] == []


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """It says which word was wrong and which words are right."""
    assert main(["chekc"]) == 2
    said = capsys.readouterr()
    assert "'chekc'" in said.err
    assert "check" in said.err
    assert not said.out
