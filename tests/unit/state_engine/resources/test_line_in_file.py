"""The kind line-in-file."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.line_in_file import LineInFile

KIND = LineInFile()


def line(**fields: Json) -> dict[str, Json]:
    return {"path": "/f", "line": "Port 22", **fields}


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        ({}, "a\n", "a\nPort 22\n"),
        ({}, "a", "a\nPort 22\n"),
        ({}, "a\r\n", "a\r\nPort 22\r\n"),
        ({}, "Port 22\na\n", "Port 22\na\n"),
        ({"match": "^#?Port "}, "#Port 1\na\nPort 2\nb\n", "a\nPort 22\nb\n"),
        ({"match": "^#?Port "}, "Port 22\na\nPort 2\n", "Port 22\na\n"),
        ({"match": "^#Port "}, "#Port 1\r\na", "Port 22\r\na"),
        ({"match": "^Port "}, "a\n", "a\nPort 22\n"),
        ({"after": "^\\[a"}, "[a]\n[a2]\nb\n", "[a]\n[a2]\nPort 22\nb\n"),
        ({"before": "^\\[a"}, "x\n[a]\n[a2]\n", "x\nPort 22\n[a]\n[a2]\n"),
        ({"ensure": "absent"}, "a\nPort 22\nb\nPort 22", "a\nb\n"),
        ({"ensure": "absent", "match": "^Port"}, "Port 1\nPort 22\n", ""),
        ({"ensure": "absent", "match": "^Port", "line": None}, "Port 1\na\n", "a\n"),
    ],
)
def test_the_line_is_put_in_or_taken_out(fields: dict[str, Json], before: str, after: str) -> None:
    """Nothing else in the file changes."""
    assert KIND.judge(line(**fields), before.encode()).edited == after.encode()


def test_an_anchor_that_is_not_there_is_a_problem() -> None:
    """A line in the wrong place can be worse than none; in an empty file there is one place."""
    spec = line(after="^\\[a\\]")
    assert "is found by" in (KIND.judge(spec, b"x\n").problem or "")
    assert KIND.judge(spec, b"").edited == b"Port 22\n"
    assert KIND.judge(spec, b"Port 22\n").problem is None


def test_each_bad_field_is_named() -> None:
    """Paths, lines, patterns and anchors."""
    spec = line(path="f", line="a\nb", match="(", after="[", before="ok")
    fields = [problem.field for problem in KIND.validate(spec)]
    assert fields == ["path", "line", "match", "after", "before"]
    assert [problem.field for problem in KIND.validate({"path": "/f", "match": "a"})] == ["line"]
    assert [problem.field for problem in KIND.validate(line(line=""))] == ["line"]
    assert KIND.validate({"path": "/f", "match": "a", "ensure": "absent"}) == []
    assert KIND.validate(line(match="^Port")) == []


def test_what_finds_the_line_is_its_name() -> None:
    """A line that holds a secret therefore needs a `match`."""
    assert KIND.identity(line(), "id") == "/f: Port 22"
    assert KIND.identity(line(match="^Port"), "id") == "/f: ^Port"
    assert KIND.identity({"path": "/f"}, "id") is None
    assert KIND.watches(line()) == ("/f",)
    assert not KIND.runs_code(line())


def test_one_line_of_ours_is_taken_out() -> None:
    """The last: ours was added at the end, and an equal one that came later is somebody else's."""
    assert KIND.taken_out(line(), b"Port 22\na\nPort 22\n") == b"Port 22\na\n"
    assert KIND.taken_out(line(), b"a\n") == b"a\n"
