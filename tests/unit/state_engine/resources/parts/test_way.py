"""What the directories on the way to a path say of it."""

from __future__ import annotations

import pytest

from state_engine.resources.parts import way
from tests.fakes.ports import FakePorts, Node

PATH = "/srv/a/b"


def world(**nodes: Node) -> FakePorts:
    """Return a host with /srv, /srv/a and /srv/a/b, by `srv`, `a` and `b`, root's if not given."""
    ports = FakePorts()
    for name, path in (("srv", "/srv"), ("a", "/srv/a"), ("b", PATH)):
        ports.files.put(path, nodes.get(name, Node("directory", 0o755, 0, 0)))
    return ports


def test_a_way_of_roots_own_directories_says_nothing() -> None:
    assert way.link_on(PATH, world()) is None
    assert way.not_ours(PATH, world()) is None
    assert way.not_ours("/srv/none/b", world()) is None


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_link_is_named(name: str) -> None:
    ports = world(**{name: Node("symlink", 0o777, 0, 0, b"/elsewhere")})
    place = {"a": "/srv/a", "b": PATH}[name]
    assert way.link_on(PATH, ports) == place
    assert f"{place} is a symbolic link to /elsewhere" in (way.not_ours(PATH, ports) or "")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Node("directory", 0o755, 1000, 0), "/srv/a belongs to app: say `owner: app`"),
        (Node("directory", 0o775, 0, 0), "others can write to /srv/a"),
        (Node("directory", 0o777, 0, 0), "others can write to /srv/a"),
        (Node("directory", 0o1777, 0, 0), None),
    ],
)
def test_whoever_could_put_something_there_is_named(node: Node, said: str | None) -> None:
    """In a sticky directory he can add names, but not move what is root's."""
    found = way.not_ours(PATH, world(a=node))
    assert found is None if said is None else said in (found or "")
