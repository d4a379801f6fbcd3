"""A file for the next boot, and the running system."""

from __future__ import annotations

import pytest

from state_engine.model import AppliedResource
from state_engine.resources.contract import RemoveFile, RestoreFile
from state_engine.resources.parts import kept_and_live as both
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

APPLIED = AppliedResource(resource("hostname", "hostname", {"name": "a"}))


def test_only_the_file_is_bound() -> None:
    """The same apply may load what makes the running system answer."""
    kept = both.Kept("/f", "file", "x")
    assert both.KeptAndLive(kept, "1").state() == both.KeptAndLive(kept, None).state()
    assert both.KeptAndLive(kept).state() != both.KeptAndLive(both.Kept("/f", None)).state()


@pytest.mark.parametrize("kind", ["symlink", "directory"])
def test_what_is_no_file_is_left_alone(kind: str) -> None:
    ports = FakePorts()
    ports.files.put("/f", Node("symlink" if kind == "symlink" else "directory", 0o755, 0, 0))
    kept = both.look_at(ports, "/f")
    assert kept.problem is not None
    assert both.undo_file(kept, "x", APPLIED, "rest").steps == ()


def test_the_kernels_words_lose_their_tabs() -> None:
    ports = FakePorts()
    ports.files.put("/v", Node("file", 0o644, 0, 0, b"4096\t1\n"))
    assert both.said_by_kernel(ports, "/v") == "4096 1"
    assert both.said_by_kernel(ports, "/none") is None


def test_undoing_deletes_ours_and_restores_theirs() -> None:
    """An edit in our file goes into a copy first."""
    ours, theirs = both.Kept("/f", "file", "x"), both.Kept("/f", "file", "y")
    created = AppliedResource(APPLIED.resource, created=True)
    assert both.undo_file(ours, "x", created, "").steps == (RemoveFile("/f", backup=False),)
    assert both.undo_file(theirs, "x", created, "").steps == (RemoveFile("/f", backup=True),)
    replaced = AppliedResource(APPLIED.resource, pre_image="d", pre_mode=0o600)
    assert both.undo_file(ours, "x", replaced, "").steps == (RestoreFile("/f", "d", 0o600),)
    assert both.undo_file(ours, "x", APPLIED, "").steps == ()


def test_the_kernel_is_told_through_standard_input() -> None:
    """A value on the command line could be an option, and shows in the process list."""
    call = both.tell_kernel("/proc/sys/a", "-x").call
    assert (call.argv, call.stdin) == (("tee", "--", "/proc/sys/a"), b"-x\n")
