"""What stands below a directory."""

from __future__ import annotations

import pytest

from state_engine.resources.contract import RemoveDirectory, RemoveFile, SetAttributes
from state_engine.resources.parts import directory_tree
from state_engine.resources.parts.directory_tree import Entry, Wanted, attributes, entries, purge
from tests.fakes.ports import FakePorts, Node


def tree() -> FakePorts:
    ports = FakePorts()
    for path in ("/d", "/d/sub", "/d/sub/deep", "/dx"):
        ports.files.put(path, Node("directory", 0o755, 0, 0))
    for path in ("/d/a", "/d/sub/b", "/d/sub/deep/c", "/dx/other"):
        ports.files.put(path, Node("file", 0o640, 1000, 0, b"x"))
    ports.files.put("/d/link", Node("symlink", 0o777, 0, 0, b"/dx"))
    return ports


def found(ports: FakePorts) -> tuple[Entry, ...]:
    below = entries("/d", ports, Wanted())
    assert below is not None
    return below


def test_everything_below_is_found_and_nothing_beside_or_behind_a_link() -> None:
    """Each directory before what is in it."""
    paths = [entry.path for entry in found(tree())]
    assert paths == ["/d/a", "/d/link", "/d/sub", "/d/sub/b", "/d/sub/deep", "/d/sub/deep/c"]


def test_a_tree_that_is_too_large_is_not_gone_through() -> None:
    assert entries("/d", tree(), Wanted(), 5) is None
    assert entries("/d", tree(), Wanted(), 6) is not None


def test_a_purge_takes_what_nobody_manages_from_the_inside_out() -> None:
    """A copy of each file is kept; one managed object keeps the whole of what it stands in."""
    work = purge("/d", found(tree()), ["/d/a", "/d", "/d/sub/deep"])
    assert work.steps == (RemoveFile("/d/link"),)
    work = purge("/d", found(tree()), ["/d/a", "/dx/other", "/d/subway"])
    assert work.steps == (
        RemoveFile("/d/sub/deep/c", backup=True),
        RemoveDirectory("/d/sub/deep"),
        RemoveFile("/d/sub/b", backup=True),
        RemoveDirectory("/d/sub"),
        RemoveFile("/d/link"),
    )
    shown = [(change.field, change.current, change.desired) for change in work.changes]
    assert shown[0] == ("entry link", "symlink", None)
    assert len(work.binds) == len(shown) == 5


def entry(path: str, **fields: object) -> Entry:
    made = Entry(path, "file", 0o644, "root", "root")
    return Entry(**{name: fields.get(name, getattr(made, name)) for name in made.__struct_fields__})


@pytest.mark.parametrize(
    ("doomed", "word"),
    [
        (entry("/d/x", foreign=True, type="directory"), "file system"),
        (entry("/d/x", type="other"), "special"),
        (entry("/d/x", size=2**40), "too large"),
    ],
)
def test_a_purge_does_not_begin_if_it_cannot_be_taken_back(doomed: Entry, word: str) -> None:
    """A mount, a socket that is in use, a file of which no copy can be kept."""
    work = purge("/d", [entry("/d/fine"), doomed], [])
    assert work.problem is not None
    assert word in work.problem
    assert work.steps == ()


def test_a_purge_has_a_limit() -> None:
    many = [entry(f"/d/{number}") for number in range(directory_tree.MAX_PURGED + 1)]
    assert purge("/d", many[1:], []).problem is None
    assert purge("/d", many, []).problem is not None


def test_attributes_are_given_to_what_differs_and_nobody_else_manages() -> None:
    """A link has none worth the risk; a mount is not ours."""
    wanted = Wanted("root", "root", "0750", "0600")
    below = [
        entry("/d/right", mode=0o600),
        entry("/d/file", mode=0o644),
        entry("/d/dir", type="directory", mode=0o755, owner="app"),
        entry("/d/link", type="symlink", owner="app"),
        entry("/d/mount", type="directory", foreign=True, owner="app"),
        entry("/d/managed", owner="app"),
    ]
    work = attributes("/d", below, ["/d/managed"], wanted)
    assert [(change.field, change.current, change.desired) for change in work.changes] == [
        ("file: mode", "0644", "0600"),
        ("dir: owner", "app", "root"),
        ("dir: mode", "0755", "0750"),
    ]
    assert work.steps == (
        SetAttributes("/d/file", 0o600, "root", "root"),
        SetAttributes("/d/dir", 0o750, "root", "root"),
    )
    assert len(work.binds) == 2


def test_a_long_list_is_shown_in_part_and_bound_whole() -> None:
    below = [entry(f"/d/{number}", owner="app") for number in range(5)]
    work = attributes("/d", below, [], Wanted("root"), shown=3)
    assert [change.field for change in work.changes] == [
        "0: owner",
        "1: owner",
        "2: owner",
        "entries",
    ]
    assert len(work.steps) == len(work.binds) == 5
