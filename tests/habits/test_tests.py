"""The tests' own habits: fakes and not mocks, conditions and not sleeps, nothing left for later."""

from __future__ import annotations

import ast
import io
import re
import tokenize

from tests.habits.allowed import SLEEPERS
from tests.habits.tree import (
    PRODUCT,
    SUPPORT,
    calls,
    dotted,
    enclosing,
    python_files,
    text,
    tree,
)

MOCKS = {"Mock", "MagicMock", "AsyncMock", "create_autospec", "mocker"}
SLEEPS = {"time.sleep", "trio.sleep", "trio.sleep_until", "anyio.sleep", "asyncio.sleep"}
# Under these clocks a sleep takes no time and is a value of the test.
VIRTUAL_CLOCKS = ("autojump_clock", "mock_clock", "frozen_clock", "MockClock")
# Where all that sleeps sleeps in virtual time.
VIRTUAL_FOLDERS = ("tests/simulation/",)
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def test_tests_use_no_mocks() -> None:
    """A stand-in is a fake in tests/fakes, which a contract suite holds against the real thing."""
    places = [
        f"{name}:{node.lineno}"
        for name in python_files("tests")
        for node in ast.walk(tree(name))
        if (isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in MOCKS)
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"))
        or (isinstance(node, ast.Call) and dotted(node.func) == "monkeypatch.setattr")
    ]
    assert places == []


def test_tests_do_not_sleep() -> None:
    """A test waits on a condition with a deadline; a sleep is either too long or too short."""
    places = {
        f"{name}::{enclosing(name, call.lineno)}"
        for name in python_files("tests")
        if not name.startswith(VIRTUAL_FOLDERS)
        if not any(clock in text(name) for clock in VIRTUAL_CLOCKS)
        for call in calls(name)
        if dotted(call.func) in SLEEPS
    }
    assert places - set(SLEEPERS) == set()
    assert set(SLEEPERS) <= places, "the allow-list names functions that do not sleep"


def test_tests_are_not_run_again_until_they_pass() -> None:
    """No rerun marks: a test that fails now and then has found something."""
    places = [
        f"{name}:{node.lineno}"
        for name in python_files("tests")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute) and node.attr in {"flaky", "reruns"}
    ]
    assert places == []


def test_nothing_is_left_for_later() -> None:
    """What is not done is in an issue, where it is found, and not in a comment."""
    places = [
        f"{name}:{token.start[0]}: {token.string}"
        for name in python_files(*PRODUCT, *SUPPORT)
        for token in tokenize.generate_tokens(io.StringIO(text(name)).readline)
        if token.type == tokenize.COMMENT and LATER.search(token.string)
    ]
    assert places == []
