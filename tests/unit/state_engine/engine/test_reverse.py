"""Working out how steps are taken back."""

from __future__ import annotations

import pytest

from state_engine.engine.reverse import ABSENT, reverse_of, standing
from state_engine.engine.steps import Outcome, carry_out
from state_engine.ports import PortError, ProgramCall
from state_engine.resources.contract import (
    MakeDirectory,
    MakeSymlink,
    RemoveDirectory,
    RemoveFile,
    RunScript,
    SetAttributes,
    Step,
    WriteFile,
)
from tests.fakes.ports import FakePorts, Node


def host() -> FakePorts:
    ports = FakePorts()
    ports.files.put("/file", Node("file", 0o4750, 1000, 1000, b"old"))
    ports.files.put("/dir", Node("directory", 0o2770, 1000, 1000))
    ports.files.put("/link", Node("symlink", 0o777, 1000, 1000, b"/file"))
    return ports


@pytest.mark.parametrize(
    "steps",
    [
        (WriteFile("/file", b"new", 0o600, "root", "root"),),
        (WriteFile("/new", b"new"), SetAttributes("/new", 0o600, "app", "app")),
        (SetAttributes("/file", 0o600, "root", "root"),),
        (SetAttributes("/dir", 0o700, "root", "root"),),
        (RemoveFile("/file", backup=True), MakeSymlink("/file", "/dir")),
        (RemoveFile("/link"), WriteFile("/link", b"a file now")),
        (RemoveFile("/link"), MakeDirectory("/link"), WriteFile("/link/f", b"x")),
        (MakeSymlink("/link", "/elsewhere"),),
        (RemoveDirectory("/dir"),),
        (RemoveDirectory("/dir"), WriteFile("/dir", b"a file now")),
        (MakeDirectory("/a"), MakeDirectory("/a/b"), WriteFile("/a/b/c", b"x")),
        (WriteFile("/new", b"1"), RemoveFile("/new")),
    ],
)
def test_what_is_done_and_taken_back_was_never_done(steps: tuple[Step, ...]) -> None:
    """Content, owner, mode with its privilege, type and target."""
    ports = host()
    before = ports.tree()
    reverse = reverse_of(steps, ports)
    assert reverse.problem is None
    assert ports.tree() == before  # working it out changes nothing
    carry_out(steps, ports, Outcome())
    assert ports.tree() != before or len(steps) == 2
    carry_out(reverse.steps, ports, Outcome())
    assert ports.tree() == before


def test_what_it_saw_can_be_compared() -> None:
    """Any part of an object that differs makes another text, and nothing else does."""
    ports = host()
    seen = {path: standing(path, ports) for path in ("/file", "/dir", "/link", "/none")}
    assert seen["/none"] == ABSENT
    ports.files.put("/file", Node("file", 0o4750, 1000, 1000, b"new"))
    ports.files.put("/dir", Node("directory", 0o2770, 1000, 0))
    ports.files.put("/link", Node("symlink", 0o777, 1000, 1000, b"/dir"))
    for path in ("/file", "/dir", "/link"):
        assert standing(path, ports) != seen[path]
    assert standing("/file", host()) == seen["/file"]


def test_a_command_leaves_no_half_of_a_way_back() -> None:
    """A file put back beside a command that is not would be neither state."""
    ports = host()
    run = RunScript(ProgramCall(("x",)), "apply")
    reverse = reverse_of((WriteFile("/file", b"new"), run), ports)
    assert (reverse.steps, reverse.problem is None) == ((), False)
    assert list(reverse.before) == ["/file"]


@pytest.mark.parametrize("secret", ["old", "new"])
def test_a_secret_is_not_copied(secret: str) -> None:
    """Neither the one that stood there nor, on the way back, the one that will."""
    ports = host()
    steps = (WriteFile("/file", b"x"), WriteFile("/new", b"x"))
    old, new = secret == "old", secret == "new"
    reverse = reverse_of(steps, ports, old_secret=old, new_secret=new)
    carry_out(steps, ports, Outcome())
    carry_out(reverse.steps, ports, Outcome())
    assert (reverse.problem is not None) == old
    kept = set() if old else {b"old"}
    assert set(ports.backups.kept.values()) == kept


def test_a_special_file_cannot_be_put_back() -> None:
    ports = host()
    ports.files.put("/pipe", Node("other", 0o644, 0, 0))
    with pytest.raises(PortError):
        reverse_of((RemoveFile("/pipe"),), ports)
