"""The kind symlink-unix."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, MakeSymlink, RemoveFile
from state_engine.resources.symlink_unix import SymlinkUnix
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

KIND = SymlinkUnix()
SPEC: dict[str, Json] = {"path": "/l", "target": "to"}
ABSENT: dict[str, Json] = {"path": "/l", "ensure": "absent"}


def ports_with(kind: str, target: bytes = b"to") -> FakePorts:
    ports = FakePorts()
    nodes = {
        "symlink": Node("symlink", 0o777, 0, 0, target),
        "file": Node("file", 0o644, 0, 0, b"theirs"),
        "directory": Node("directory", 0o755, 0, 0),
    }
    ports.files.put("/l", nodes[kind])
    return ports


def test_a_missing_link_is_made() -> None:
    """With what is managed."""
    spec: dict[str, Json] = {**SPEC, "owner": "app"}
    difference = KIND.compare(spec, KIND.observe(spec, FakePorts(), verify=False), Context())
    assert difference.action == "create"
    assert [change.field for change in difference.changes] == ["target", "owner"]
    assert KIND.steps(spec, difference) == (MakeSymlink("/l", "to", "app"),)


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({}, Change("target", "else", "to")),
        ({"target": "else", "owner": "app"}, Change("owner", "root", "app")),
        ({"target": "else", "group": "1000"}, Change("group", "root", "1000")),
    ],
)
def test_another_link_is_replaced(fields: dict[str, Json], change: Change) -> None:
    """In one step, for an owner too: the link is made anew."""
    spec = {**SPEC, **fields}
    found = KIND.observe(spec, ports_with("symlink", b"else"), verify=False)
    difference = KIND.compare(spec, found, Context())
    assert (difference.action, difference.changes) == ("update", (change,))
    assert isinstance(KIND.steps(spec, difference)[0], MakeSymlink)


def test_the_right_link_is_left_alone() -> None:
    """And an absent one is as desired when it is absent."""
    for spec, ports in ((SPEC, ports_with("symlink")), (ABSENT, FakePorts())):
        difference = KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())
        assert difference.action == "none"
        assert KIND.steps(spec, difference) == ()


@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("spec", [SPEC, ABSENT])
def test_what_is_no_link_is_an_error(kind: str, spec: dict[str, Json]) -> None:
    """It is neither replaced nor deleted."""
    found = KIND.observe(spec, ports_with(kind), verify=False)
    difference = KIND.compare(spec, found, Context())
    assert (difference.action, KIND.steps(spec, difference)) == ("error", ())


def test_an_absent_link_is_deleted_wherever_it_leads() -> None:
    """The link, and never what it leads to."""
    found = KIND.observe(ABSENT, ports_with("symlink"), verify=False)
    difference = KIND.compare(ABSENT, found, Context())
    assert difference.changes == (Change("ensure", "present", "absent"),)
    assert KIND.steps(ABSENT, difference) == (RemoveFile("/l"),)


@pytest.mark.parametrize(
    ("ports", "created", "spec", "acts"),
    [
        (ports_with("symlink"), True, SPEC, True),
        (ports_with("symlink"), False, SPEC, False),
        (ports_with("symlink", b"else"), True, SPEC, False),
        (ports_with("file"), True, SPEC, False),
        (FakePorts(), True, SPEC, False),
        (ports_with("symlink"), True, ABSENT, False),
    ],
)
def test_only_our_own_link_goes(
    ports: FakePorts, created: bool, spec: dict[str, Json], acts: bool
) -> None:
    """While it leads where we said."""
    found = KIND.observe(spec, ports, verify=False)
    undo = KIND.undo(spec, found, AppliedResource(resource("k", "i", spec), created=created))
    assert undo.steps == ((RemoveFile("/l"),) if acts else ())
    assert undo.message


def test_a_target_that_is_no_text_can_be_sent() -> None:
    """In the digest and in the change."""
    found = KIND.observe(SPEC, ports_with("symlink"), verify=False)
    assert found is not None
    odd = type(found)("symlink", "\udcff", "root", "root")
    assert odd.state() == {"type": "symlink", "target": "\\udcff", "owner": "root", "group": "root"}
    assert KIND.compare(SPEC, odd, Context()).changes[0].current == "\\udcff"


def test_each_bad_field_is_named() -> None:
    """Targets may be relative; they may not be empty, endless or hold line breaks."""
    spec: dict[str, Json] = {"path": "l", "target": "", "owner": "a b", "group": "c d"}
    assert [problem.field for problem in KIND.validate(spec)] == [
        "path",
        "target",
        "owner",
        "group",
    ]
    for target in ("a\nb", "a\0", "x" * 5000, None):
        assert [p.field for p in KIND.validate({"path": "/l", "target": target})] == ["target"]
    assert KIND.validate({"path": "/l", "target": "../a/./b"}) == []
    assert KIND.validate(ABSENT) == []
    assert KIND.identity(SPEC, "id") == "/l"
    assert KIND.watches(SPEC) == ("/l",)
