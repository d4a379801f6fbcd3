"""A person is asked, a pipe is told the flag."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from client.failures import BadUsageError, ClientError
from client.questions import confirm
from tests.fakes.operator import Screen

pytestmark = pytest.mark.usefixtures("keyboard")


@pytest.fixture
def keyboard() -> Iterator[None]:
    held = sys.stdin
    yield
    sys.stdin = held


@pytest.mark.parametrize("text", ["y\n", "yes\n"])
def test_a_yes_goes_on(text: str) -> None:
    sys.stdin = Screen(text, terminal=True)
    confirm("Sure?", yes=False)


@pytest.mark.parametrize("text", ["n\n", "\n"])
def test_anything_else_does_nothing(text: str) -> None:
    sys.stdin = Screen(text, terminal=True)
    with pytest.raises(ClientError, match="nothing was done"):
        confirm("Sure?", yes=False)


def test_a_pipe_needs_the_flag(capsys: pytest.CaptureFixture[str]) -> None:
    sys.stdin = Screen("y\n")
    with pytest.raises(BadUsageError) as caught:
        confirm("Sure?", yes=False)
    assert "--yes" in caught.value.next_command
    confirm("Sure?", yes=True)
    assert not capsys.readouterr().out


def test_a_question_holds_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    sys.stdin = Screen("y\n", terminal=True)
    confirm("Sure\x1b[2J?", yes=False)
    shown = capsys.readouterr()
    assert not shown.out
    assert "Sure\\x1b[2J?" in shown.err
