"""The command document: its rules, and an action in which every field counts."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest

from protocol import commands
from protocol.commands import Command
from protocol.errors import DecodeError

GOOD = Command(argv=("/bin/echo", "a b"), env={"A": "1"}, stdin=b"x", timeout_ms=5)


def test_the_action_says_all_of_it() -> None:
    """The published form of what is signed: names, values, and the digest of the input."""
    assert json.loads(commands.action(GOOD)) == {
        "argv": ["/bin/echo", "a b"],
        "capability": "command.run",
        "cwd": "/",
        "env": {"A": "1"},
        "rlimits": {},
        "script": "",
        "shell": "/bin/sh",
        "stdin": hashlib.sha256(b"x").hexdigest(),
        "timeout_ms": 5,
        "transcript": False,
        "user": "",
        "v": 1,
    }


def test_the_text_is_what_a_person_would_type() -> None:
    """Arguments are quoted; a script is itself."""
    assert GOOD.text == "/bin/echo 'a b'"
    assert Command(script="a\nb").text == "a\nb"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"script": "x"}, "either"),
        ({"script": " \n"}, "either"),
        ({"argv": ()}, "either"),
        ({"argv": (), "script": " \n"}, "either"),
        ({"argv": ("",)}, "empty"),
        ({"argv": ("a", "\0")}, "NUL"),
        ({"argv": ("a", "\udc80")}, "surrogate"),
        ({"argv": ("x" * commands.MAX_ARGV,)}, "argv has"),
        ({"argv": (), "script": "x" * (commands.MAX_SCRIPT + 1)}, "script has"),
        ({"stdin": b"x" * (commands.MAX_STDIN + 1)}, "stdin has"),
        ({"env": {"A": "x" * commands.MAX_ENV}}, "env has"),
        ({"env": {"": "x"}}, "no name"),
        ({"env": {"A=B": "x"}}, "no name"),
        ({"env": {"A": "\0"}}, "NUL"),
        ({"cwd": "etc"}, "absolute"),
        ({"cwd": "/" * (commands.MAX_NAME + 1)}, "characters"),
        ({"shell": ""}, "shell"),
        ({"user": "a\0"}, "NUL"),
        ({"transcript": True}, "transcript"),
        ({"timeout_ms": 0}, "timeout"),
        ({"timeout_ms": commands.MAX_TIMEOUT_MS + 1}, "timeout"),
        ({"rlimits": {"nice": 1}}, "rlimit"),
        ({"rlimits": {"core": -1}}, "rlimit"),
    ],
)
def test_a_broken_rule_makes_no_action(change: dict[str, object], words: str) -> None:
    """The text says which rule."""
    with pytest.raises(DecodeError, match=words):
        commands.action(msgspec.structs.replace(GOOD, **change))


def test_limits_are_inclusive() -> None:
    """What is exactly at its limit is taken."""
    most = Command(script="x" * commands.MAX_SCRIPT, stdin=b"x" * commands.MAX_STDIN)
    assert commands.action(msgspec.structs.replace(most, timeout_ms=commands.MAX_TIMEOUT_MS))
