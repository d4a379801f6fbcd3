"""What kinds share that own one whole file."""

from __future__ import annotations

import pytest

from state_engine.model import AppliedResource
from state_engine.ports import FileType, PortError
from state_engine.resources.contract import (
    Difference,
    RemoveFile,
    RestoreFile,
    SetAttributes,
    WriteFile,
)
from state_engine.resources.parts import whole_file
from state_engine.resources.parts.whole_file import WholeFile
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file

WANTED = WholeFile("/f", "new\n", 0o440)
ABSENT = WholeFile("/f", None, 0o440)
FIELDS = {"content": "new\n"}
RECORD = AppliedResource(a_file("/f"), created=True)


def host(
    content: bytes | None, mode: int = 0o440, uid: int = 0, kind: FileType = "file"
) -> FakePorts:
    ports = FakePorts()
    if content is not None:
        ports.files.put("/f", Node(kind, mode, uid, uid, content))
    return ports


def compared(ports: FakePorts, wanted: WholeFile = WANTED) -> Difference:
    found = whole_file.look(wanted, ports, verify=False)
    known = None if found is None or found.text is None else {"content": found.text}
    return whole_file.compare(wanted, found, FIELDS, known)


def test_a_missing_file_is_made_and_its_text_is_shown() -> None:
    """Of root's, with its mode."""
    difference = compared(host(None))
    assert difference.action == "create"
    assert difference.steps == (WriteFile("/f", b"new\n", 0o440, "root", "root"),)
    assert "+new" in difference.changes[0].diff


def test_a_text_is_shown_only_if_everybody_may_read_it() -> None:
    """A private one has only a name."""
    public, private = compared(host(b"old\n", 0o644)), compared(host(b"old\n", 0o440))
    assert "-old" in public.changes[0].diff
    assert private.changes[0].diff == ()
    assert (private.changes[0].current or "").startswith("sha256:")
    assert [change.field for change in public.changes] == ["content", "mode"]


def test_what_somebody_else_could_write_to_is_made_anew() -> None:
    """A wrong mode alone is set, unless others may hold the file open."""
    assert compared(host(b"new\n")).action == "none"
    assert compared(host(b"new\n", 0o400)).steps == (SetAttributes("/f", 0o440),)
    for ports in (host(b"new\n", 0o646), host(b"new\n", 0o440, uid=1000)):
        assert isinstance(compared(ports).steps[0], WriteFile)
    fields = [change.field for change in compared(host(b"new\n", 0o440, uid=1000)).changes]
    assert fields == ["owner", "group"]


def test_only_a_regular_file_is_touched() -> None:
    """A link or a directory in its place is an error, also when nothing is wanted there."""
    for kind in ("symlink", "directory", "other"):
        ports = host(b"", kind=kind)
        assert compared(ports).action == compared(ports, ABSENT).action == "error"
        found = whole_file.look(WANTED, ports, verify=False)
        assert whole_file.undo(WANTED, found, RECORD).steps == ()


def test_an_unwanted_file_goes_and_a_copy_is_kept() -> None:
    """Whoever wrote it."""
    difference = compared(host(b"theirs"), ABSENT)
    assert difference.steps == (RemoveFile("/f", backup=True),)
    assert compared(host(None), ABSENT).action == "none"
    assert whole_file.glance(ABSENT) is None


def test_fields_say_what_differs_and_masks_can_hide_them() -> None:
    """Where the found text says the same in other words, the text itself differs."""
    found = whole_file.look(WANTED, host(b"old"), verify=False)
    fields = {"user": "a", "command": "x"}
    known = {"user": "a", "command": "y", "environment": "E"}
    changes = whole_file.compare(WANTED, found, fields, known).changes
    assert [(c.field, c.current, c.desired) for c in changes] == [
        ("command", "y", "x"), ("environment", "E", None),
    ]  # fmt: skip
    assert [c.field for c in whole_file.compare(WANTED, found, fields, fields).changes] == [
        "content"
    ]
    assert len(whole_file.compare(WANTED, found, fields, None).changes) == 2


def test_removal_gives_back_what_was_there() -> None:
    """Ours is deleted, an edited one after a copy, an overwritten one comes back."""
    for content, backup in ((b"new\n", False), (b"edited\n", True)):
        found = whole_file.look(WANTED, host(content), verify=False)
        assert whole_file.undo(WANTED, found, RECORD).steps == (RemoveFile("/f", backup=backup),)
    found = whole_file.look(WANTED, host(b"new\n"), verify=False)
    replaced = AppliedResource(a_file("/f"), False, "d" * 64, 0o600, 1, 1)
    assert whole_file.undo(WANTED, found, replaced).steps == (
        RestoreFile("/f", "d" * 64, 0o600, 1, 1),
    )
    theirs = AppliedResource(a_file("/f"))
    for wanted, seen, record in (
        (WANTED, None, RECORD),
        (ABSENT, found, RECORD),
        (WANTED, found, theirs),
    ):
        assert whole_file.undo(wanted, seen, record).steps == ()


def test_a_huge_file_is_not_read() -> None:
    """It is no configuration."""
    ports = host(b"x" * (whole_file.MAX_CONTENT + 1))
    with pytest.raises(PortError, match="larger"):
        whole_file.look(WANTED, ports, verify=False)
