"""Carrying out steps."""

from __future__ import annotations

import hashlib

import pytest

from protocol.reports import CapturedStream
from state_engine.engine.steps import Outcome, carry_out
from state_engine.ports import PortError, ProgramCall
from state_engine.resources.contract import (
    EditFile,
    MakeDirectory,
    MakeSymlink,
    RemoveDirectory,
    RemoveFile,
    RestoreFile,
    RunScript,
    SetAttributes,
    Step,
    WriteFile,
    WriteSource,
)
from tests.fakes.ports import FakePorts, FakeSources, Node


class Liar(FakeSources):
    """Brings something else than was asked for."""

    def fetch(self, url: str, sha256: str) -> bytes:
        del url, sha256
        return b"forged"


def do(ports: FakePorts, *steps: Step) -> Outcome:
    outcome = Outcome()
    carry_out(steps, ports, outcome)
    return outcome


def test_a_write_keeps_what_is_not_managed() -> None:
    """Mode and owner of the old file, but never its privilege; else 0644 and our own."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o4750, 1000, 1000, b"old"))
    do(ports, WriteFile("/f", b"new"), WriteFile("/g", b"new"))
    assert ports.tree()["/f"] == ("file", 0o750, 1000, 1000, b"new")
    assert ports.tree()["/g"] == ("file", 0o644, 0, 0, b"new")


def test_content_by_address_is_checked_before_it_gets_into_place() -> None:
    """Whatever the source says of itself: the old file stands until the right one is there."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o640, 1000, 1000, b"old"))
    sha256 = hashlib.sha256(b"new").hexdigest()
    with pytest.raises(PortError):
        do(ports, WriteSource("/f", "file:///x", sha256))
    ports.sources = Liar()
    with pytest.raises(PortError):
        do(ports, WriteSource("/f", "file:///x", sha256))
    assert ports.tree()["/f"] == ("file", 0o640, 1000, 1000, b"old")
    ports.sources = FakeSources()
    ports.sources.held["file:///x"] = b"new"
    do(ports, WriteSource("/f", "file:///x", sha256, mode=0o700))
    assert ports.tree()["/f"] == ("file", 0o700, 1000, 1000, b"new")


@pytest.mark.parametrize("content", [b"other", None])
def test_an_edit_finds_what_it_was_made_from_or_does_nothing(content: bytes | None) -> None:
    """What somebody wrote or removed meanwhile is not undone by writing the old text back."""
    ports = FakePorts()
    old = "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"  # of b"old"
    ports.files.put("/f", Node("file", 0o640, 1000, 0, b"old"))
    do(ports, EditFile("/f", b"old", old), EditFile("/new", b"x", None, 0o600))
    assert ports.tree()["/f"] == ("file", 0o640, 1000, 0, b"old")
    assert ports.tree()["/new"] == ("file", 0o600, 0, 0, b"x")
    if content is None:
        del ports.files.nodes["/f"]
    else:
        ports.files.put("/f", Node("file", 0o640, 1000, 0, content))
    before = ports.tree()
    for step in (EditFile("/f", b"new", old), EditFile("/new", b"y", None)):
        with pytest.raises(PortError, match="meanwhile"):
            do(ports, step)
    assert ports.tree() == before


def test_a_change_of_owner_sets_no_mode_that_is_not_named() -> None:
    """The kernel takes set-uid and set-gid bits away, and nothing brings them back."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o2755, 0, 0))
    do(ports, SetAttributes("/f", owner="app"))
    assert ports.tree()["/f"][1:4] == (0o755, 1000, 0)
    assert ports.files.writes == [("set_owner", "/f")]


@pytest.mark.parametrize(
    "step",
    [
        WriteFile("/f", b"", owner="nobody-here"),
        WriteFile("/f", b"", group="nobody-here"),
        MakeDirectory("/d", owner="nobody-here"),
    ],
)
def test_an_unknown_account_fails_before_anything_is_done(step: Step) -> None:
    """The message names it."""
    ports = FakePorts()
    with pytest.raises(PortError, match="nobody-here"):
        do(ports, step)
    assert ports.files.writes == []


def test_a_directory_with_something_in_it_stays() -> None:
    """That is no failure, and no change."""
    ports = FakePorts()
    ports.files.put("/d", Node("directory", 0o755, 0, 0))
    ports.files.put("/d/theirs", Node("file", 0o644, 0, 0))
    assert not do(ports, RemoveDirectory("/d")).changed
    del ports.files.nodes["/d/theirs"]
    assert do(ports, RemoveDirectory("/d")).changed
    assert "/d" not in ports.files.nodes


def test_restoring_keeps_a_copy_of_what_it_replaces() -> None:
    """Someone's edits of our file are data too."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"original"))
    digest = ports.backups.keep("/f")
    ports.files.write("/f", b"edited", 0o644, 0, 0)
    do(ports, RestoreFile("/f", digest, 0o600, 1000, 1000))
    assert ports.tree()["/f"] == ("file", 0o600, 1000, 1000, b"original")
    assert b"edited" in ports.backups.kept.values()


def test_removing_with_backup_keeps_a_copy() -> None:
    """And without does not."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"edited"))
    do(ports, RemoveFile("/f", backup=True))
    assert list(ports.backups.kept.values()) == [b"edited"]


def test_a_failing_script_tells_its_exit_and_last_words() -> None:
    """Its output is kept, and the steps after it are not done."""
    ports = FakePorts()
    ports.programs.known["body"] = lambda: CapturedStream(124, "", "first\nlast words\n")
    call = ProgramCall(("/bin/sh",), script=b"body", timeout=7)
    outcome = Outcome()
    steps: tuple[Step, ...] = (RunScript(call, "apply"), WriteFile("/f", b""))
    with pytest.raises(PortError, match=r"exit 124 .*7 s.*last words"):
        carry_out(steps, ports, outcome)
    assert outcome.captured["apply"].exit == 124
    assert outcome.changed
    assert ports.files.writes == []


def test_a_link_keeps_the_owner_that_is_not_managed() -> None:
    """A new one is our own; one in place of another belongs to whom that belonged to."""
    ports = FakePorts()
    do(ports, MakeSymlink("/l", "one", "app"), MakeSymlink("/l", "two", None, "root"))
    assert ports.tree()["/l"] == ("symlink", 0o777, 1000, 0, b"two")
    do(ports, MakeSymlink("/new", "one"))
    assert ports.tree()["/new"] == ("symlink", 0o777, 0, 0, b"one")


def test_a_write_is_checked_before_it_takes_its_place() -> None:
    """The check gets the candidate's path; its words are kept; its refusal leaves the old file."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"old"))
    seen: list[bytes] = []

    def check(code: int) -> CapturedStream:
        seen.append(ports.files.nodes["/.candidate"].content)
        return CapturedStream(code, "", "line 1\nbad syntax\n")

    ports.programs.known["/check -f /.candidate"] = lambda: check(1)
    step = WriteFile("/f", b"new", check=("/check", "-f", "{file}"))
    outcome = Outcome()
    with pytest.raises(PortError, match="/f stays as it is: its check failed: exit 1: bad syntax"):
        carry_out((step,), ports, outcome)
    assert (outcome.changed, outcome.captured["check"].exit) == (False, 1)
    assert ports.files.read("/f", 9) == b"old"
    ports.programs.known["/check -f /.candidate"] = lambda: check(0)
    assert do(ports, step).changed
    assert ports.files.read("/f", 9) == b"new"
    assert seen == [b"new", b"new"]


def test_a_failed_step_is_explained_if_it_can_be() -> None:
    """The explanation runs only after a failure, and one that cannot be had changes nothing."""
    ports = FakePorts()
    ports.programs.known |= {
        "do": lambda: CapturedStream(3, "", "no\n"),
        "journal": lambda: CapturedStream(0, "why\n", ""),
    }
    journal, missing = ProgramCall(("journal",)), ProgramCall(("/nonexistent/x",))
    do(ports, RunScript(ProgramCall(("true",)), "apply", journal))
    assert ports.programs.calls == ["true"]
    failing = ProgramCall(("do",))
    with pytest.raises(PortError, match="exit 3: no; its last words: why"):
        do(ports, RunScript(failing, "apply", journal))
    for explain in (missing, None):
        with pytest.raises(PortError, match=r"exit 3: no\Z"):
            do(ports, RunScript(failing, "apply", explain))
