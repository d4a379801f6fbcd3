"""What the kinds share that manage a part of a file."""

from __future__ import annotations

import hashlib

import pytest

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, EditFile
from state_engine.resources.line_in_file import LineInFile
from state_engine.resources.parts.file_part import HIDDEN, MAX_FILE, MAX_SHOWN
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

KIND = LineInFile()
SPEC: dict[str, Json] = {"path": "/f", "line": "new=1", "match": "^(old|new)="}


def ports_with(content: bytes, mode: int = 0o644) -> FakePorts:
    ports = FakePorts()
    ports.files.put("/f", Node("file", mode, 0, 0, content))
    return ports


def test_an_edit_names_the_content_that_it_was_made_from() -> None:
    """So it cannot overwrite what somebody wrote in between."""
    found = KIND.observe(SPEC, ports_with(b"old=2\n"), verify=False)
    difference = KIND.compare(SPEC, found, Context())
    assert (difference.action, difference.changes) == (
        "update",
        (Change("line", "old=2", "new=1"),),
    )
    digest = hashlib.sha256(b"old=2\n").hexdigest()
    assert KIND.steps(SPEC, difference) == (EditFile("/f", b"new=1\n", digest),)


def test_another_line_is_no_part_of_what_a_decision_binds() -> None:
    """The line itself is, and so is whether the file is there."""

    def state(content: bytes) -> Json:
        return KIND.observe(SPEC, ports_with(content), verify=False).state()

    assert state(b"a\nold=2\n") == state(b"b\nold=2\n")
    assert state(b"a\nold=2\n") != state(b"a\nold=3\n")
    assert state(b"") != KIND.observe(SPEC, FakePorts(), verify=False).state()


def test_a_private_file_does_not_give_away_what_we_did_not_write() -> None:
    """The old line is shown only where everybody may read it, or where we put it there."""
    ports = ports_with(b"old=secret\n", 0o600)
    found = KIND.observe(SPEC, ports, verify=False)
    [change] = KIND.compare(SPEC, found, Context()).changes
    assert (change.current, change.desired, change.diff) == (HIDDEN, "new=1", ())
    left: dict[str, Json] = {**SPEC, "line": "old=secret"}
    [change] = KIND.compare(SPEC, found, Context(left=left)).changes
    assert change.current == "old=secret"


def test_what_is_shown_is_short_and_can_be_sent() -> None:
    """Bytes that are no text, and very long lines."""
    found = KIND.observe(SPEC, ports_with(b"old=\xff" + b"x" * 1000), verify=False)
    [change] = KIND.compare(SPEC, found, Context()).changes
    assert change.current is not None
    assert len(change.current.encode()) < MAX_SHOWN + 10


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (Node("symlink", 0o777, 0, 0, b"/etc/shadow"), "symbolic link"),
        (Node("directory", 0o755, 0, 0), "directory"),
        (Node("file", 0o644, 0, 0, b"a\0b"), "not a text file"),
        (Node("file", 0o644, 0, 0, b"a" * (MAX_FILE + 1)), "larger"),
    ],
)
def test_what_has_no_lines_is_an_error(node: Node, words: str) -> None:
    """And nothing is done to it, in removal neither."""
    ports = FakePorts()
    ports.files.put("/f", node)
    found = KIND.observe(SPEC, ports, verify=False)
    difference = KIND.compare(SPEC, found, Context())
    assert (difference.action, difference.steps) == ("error", ())
    assert words in (difference.message or "")
    applied = AppliedResource(resource("line-in-file", "x", SPEC), created=True)
    assert KIND.undo(SPEC, found, applied).steps == ()


def test_a_missing_file_is_made_only_if_said() -> None:
    """Otherwise a wrong path would make a file that nobody reads."""
    found = KIND.observe(SPEC, FakePorts(), verify=False)
    assert KIND.compare(SPEC, found, Context()).action == "error"
    spec: dict[str, Json] = {**SPEC, "create": True}
    difference = KIND.compare(spec, found, Context())
    assert difference.action == "create"
    assert KIND.steps(spec, difference) == (EditFile("/f", b"new=1\n", None),)
    absent: dict[str, Json] = {**SPEC, "ensure": "absent"}
    found = KIND.observe(absent, FakePorts(), verify=False)
    assert KIND.compare(absent, found, Context()).action == "none"


@pytest.mark.parametrize(
    ("content", "created", "ensure", "acts"),
    [
        (b"a\nnew=1\n", True, "present", True),
        (b"a\nnew=1\n", False, "present", False),
        (b"a\nnew=2\n", True, "present", False),
        (b"a\nnew=1\n", True, "absent", False),
    ],
)
def test_only_what_we_added_and_nobody_changed_is_taken_out(
    content: bytes, created: bool, ensure: str, acts: bool
) -> None:
    """Anything else stays, with the reason."""
    spec: dict[str, Json] = {**SPEC, "ensure": ensure}
    found = KIND.observe(spec, ports_with(content), verify=False)
    undo = KIND.undo(spec, found, AppliedResource(resource("k", "i", spec), created=created))
    assert bool(undo.steps) == acts
    assert undo.message
    gone = KIND.observe(spec, FakePorts(), verify=False)
    assert (
        KIND.undo(spec, gone, AppliedResource(resource("k", "i", spec), created=True)).steps == ()
    )
