"""Carrying out steps."""

from __future__ import annotations

import pytest

from protocol.reports import CapturedStream
from state_engine.engine.steps import Outcome, carry_out
from state_engine.ports import PortError, ProgramCall
from state_engine.resources.contract import (
    MakeDirectory,
    RemoveDirectory,
    RemoveFile,
    RestoreFile,
    RunScript,
    SetAttributes,
    Step,
    WriteFile,
)
from tests.fakes.ports import FakePorts, Node


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
