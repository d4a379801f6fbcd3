"""In what an unpacked archive differs."""

from __future__ import annotations

from state_engine.resources.parts.archive_files import Member
from state_engine.resources.parts.archive_tree import Wish, differences, file_mode, is_ours
from tests.fakes.archives import sha
from tests.fakes.ports import FakePorts, Node

MEMBERS = (
    Member("d", "directory", 0o755),
    Member("d/f", "file", 0o644, sha(b"x")),
    Member("l", "symlink", 0o777, target="d/f"),
)


def world(**nodes: Node) -> FakePorts:
    ports = FakePorts()
    standing = {
        "/t": Node("directory", 0o755, 0, 0),
        "/t/d": Node("directory", 0o755, 0, 0),
        "/t/d/f": Node("file", 0o644, 0, 0, b"x"),
        "/t/l": Node("symlink", 0o777, 0, 0, b"d/f"),
        **{f"/t/{name.replace('_', '/')}": node for name, node in nodes.items()},
    }
    for path, node in standing.items():
        ports.files.put(path, node)
    return ports


def found(ports: FakePorts, **wish: object) -> list[tuple[str, str, bool]]:
    seen = differences(MEMBERS, Wish("/t", **wish), ports, verify=False)  # type: ignore[arg-type]
    return [(item.path, item.what, item.blocked) for item in seen]


def test_each_sort_of_difference_is_named() -> None:
    """Content, mode, owner, target; another type is in the way."""
    assert found(world()) == []
    assert found(world(d_f=Node("file", 0o644, 0, 0, b"y"))) == [("d/f", "other content", False)]
    assert found(world(d_f=Node("file", 0o600, 0, 0, b"x"))) == [("d/f", "mode 0600", False)]
    assert found(world(l=Node("symlink", 0o777, 0, 0, b"x"))) == [("l", "a link to x", False)]
    assert [item[1] for item in found(world(), owner="app")] == ["owner root"] * 3
    assert [item[1] for item in found(world(), group="app")] == ["group root"] * 3
    blocked = found(world(d=Node("symlink", 0o777, 0, 0, b"/etc")))
    assert blocked == [("d", "a symlink", True), ("d/f", "missing", False)]


def test_a_directorys_mode_counts_only_if_the_module_has_one() -> None:
    """And then whoever may read it may search it."""
    ports = world(d=Node("directory", 0o700, 0, 0))
    assert found(ports) == []
    assert [item[:2] for item in found(ports, mode=0o640)] == [
        ("d", "mode 0700"),
        ("d/f", "mode 0644"),
    ]
    assert file_mode(0o640, MEMBERS[0]) == 0o750
    assert file_mode(None, MEMBERS[1]) == 0o644


def test_what_is_as_in_the_archive_is_ours() -> None:
    """A changed file, another link, and a directory with something in it are not."""
    ports = world()
    assert [is_ours(f"/t/{item.path}", item, ports) for item in MEMBERS] == [False, True, True]
    ports.files.remove("/t/d/f")
    assert is_ours("/t/d", MEMBERS[0], ports)
    assert not is_ours("/t/d/f", MEMBERS[1], ports)
