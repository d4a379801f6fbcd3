"""Files and links under names that only we use."""

from __future__ import annotations

import pytest

from state_engine.engine.steps import Outcome, carry_out
from state_engine.resources.parts import owned_files
from state_engine.resources.parts.owned_files import HEADER, Owned
from tests.fakes.network import NetworkPorts
from tests.fakes.ports import Node

PATH = "/etc/new/deeper/x"
TEXT = f"{HEADER}\nx\n"


def brought(ports: NetworkPorts, *wanted: Owned) -> None:
    pairs = [(each, owned_files.look(ports, each.path)) for each in wanted]
    carry_out(owned_files.all_steps(pairs), ports, Outcome())
    assert all(owned_files.right(each, owned_files.look(ports, each.path)) for each in wanted)


def place(ports: NetworkPorts, what: str) -> None:
    for folder in ("/etc/new", "/etc/new/deeper"):
        ports.files.put(folder, Node("directory", 0o755, 0, 0))
    if what == "symlink":
        ports.files.put(PATH, Node("symlink", 0o777, 0, 0, b"/etc/passwd"))
    elif what != "nothing":
        text = TEXT if what == "ours" else "theirs\xff"
        ports.files.put(PATH, Node("file", 0o640, 0, 0, text.encode("latin-1")))


@pytest.mark.parametrize("what", ["no directory", "nothing", "symlink", "ours", "theirs"])
@pytest.mark.parametrize("wanted", [Owned(PATH), Owned(PATH, TEXT), Owned(PATH, target="/etc/a")])
def test_it_becomes_what_is_wanted_and_again_what_it_was(what: str, wanted: Owned) -> None:
    """From whatever stands there; no link is followed; somebody else's file leaves a copy."""
    ports = NetworkPorts()
    if what != "no directory":
        place(ports, what)
    found = owned_files.look(ports, PATH)
    before = ports.tree().get(PATH)
    brought(ports, wanted)
    assert "/etc/passwd" not in ports.files.nodes
    if what == "theirs" and wanted.content is None:
        assert b"theirs\xff" in ports.backups.kept.values()
    for _ in range(2):
        carry_out(owned_files.back([(wanted, found)]), ports, Outcome())
        assert ports.tree().get(PATH) == before


def test_a_directory_that_two_need_is_made_once() -> None:
    ports = NetworkPorts()
    brought(ports, Owned(PATH, TEXT), Owned("/etc/new/other", TEXT))
    made = [path for what, path in ports.files.writes if what == "make_directory"]
    assert made == ["/etc/new", "/etc/new/deeper"]


def test_a_directory_in_its_place_is_a_problem() -> None:
    ports = NetworkPorts()
    ports.files.put("/etc/x", Node("directory", 0o755, 0, 0))
    assert "directory" in (owned_files.look(ports, "/etc/x").problem or "")


def test_only_our_own_files_go_without_a_copy() -> None:
    ports = NetworkPorts()
    place(ports, "ours")
    carry_out(owned_files.gone([owned_files.look(ports, PATH)]), ports, Outcome())
    assert PATH not in ports.files.nodes
    assert ports.backups.kept == {}
    assert owned_files.gone([owned_files.look(ports, PATH)]) == ()
