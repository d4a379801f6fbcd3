"""The kind archive."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from protocol.reports import Action
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import Snapshot
from state_engine.resources.archive import Archive
from tests.fakes.archives import packed
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

KIND = Archive()
DATA = packed({"app/bin/run": b"1", "app/readme": b"2"}, "gz", links={"app/now": "bin/run"})


def spec(**fields: Json) -> dict[str, Json]:
    return {"path": "/opt/app", "source": "/a.tar.gz", "strip": 1, **fields}


def world(data: bytes = DATA) -> FakePorts:
    ports = FakePorts()
    ports.files.put("/opt", Node("directory", 0o755, 0, 0))
    ports.files.put("/a.tar.gz", Node("file", 0o644, 0, 0, data))
    return ports


def action(fields: dict[str, Json], ports: FakePorts) -> tuple[Action, str | None]:
    item = make_plan("n", [resource("archive", "x", fields)], Snapshot(), ports).resources[0]
    return item.action, item.message


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"path": "opt"}, "path"),
        ({"creates": "x"}, "creates"),
        ({"source": "ftp://x/y", "sha256": "a" * 64}, "source"),
        ({"source": "https://x/y"}, "sha256"),
        ({"source": "a.tar"}, "source"),
        ({"sha256": "abc"}, "sha256"),
        ({"mode": "999"}, "mode"),
        ({"owner": "a b"}, "owner"),
    ],
)
def test_what_is_refused(fields: dict[str, Json], wrong: str) -> None:
    """With the field that is wrong."""
    assert [problem.field for problem in KIND.validate(spec(**fields))] == [wrong]


def test_only_an_archive_from_elsewhere_needs_a_trusted_module() -> None:
    """It has to be fetched to know what is in it."""
    address = {"source": f"artifact:{'a' * 64}"}
    assert KIND.validate(spec(**address)) == []
    assert (KIND.runs_code(spec()), KIND.runs_code(spec(**address))) == (False, True)


def test_it_is_unpacked_and_each_file_is_managed() -> None:
    """A changed file is drift, named by its path; it is brought back and its copy kept."""
    ports = world()
    item = resource("archive", "x", spec())
    first = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    assert first.result.status == "succeeded", first.result
    assert ports.files.read("/opt/app/bin/run", 9) == b"1"
    assert ports.files.read_link("/opt/app/now") == "bin/run"
    ports.files.put("/opt/app/readme", Node("file", 0o644, 0, 0, b"mine"))
    (drift,) = find_drift(first.snapshot, ports)
    assert [(change.field, change.current) for change in drift.changes] == [
        ("readme", "other content")
    ]
    second = apply_plan("op", "n", [item], first.snapshot, ports, approved=None)
    assert second.result.status == "succeeded"
    assert ports.files.read("/opt/app/readme", 9) == b"2"
    assert b"mine" in ports.backups.kept.values()


def test_removal_takes_out_what_is_as_in_the_archive() -> None:
    """What somebody changed or added stays, and the directories that hold it."""
    ports = world()
    item = resource("archive", "x", spec())
    first = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    ports.files.put("/opt/app/readme", Node("file", 0o644, 0, 0, b"mine"))
    ports.files.put("/opt/app/added", Node("file", 0o644, 0, 0, b"mine"))
    apply_plan("op", "n", [], first.snapshot, ports, approved=None)
    assert ports.files.names("/opt/app") == ("added", "readme")


def test_absence_is_reached_and_then_there_is_nothing_to_do() -> None:
    """And other files stay."""
    ports = world()
    apply_plan("op", "n", [resource("archive", "x", spec())], Snapshot(), ports, approved=None)
    gone = resource("archive", "x", spec(ensure="absent"))
    assert apply_plan("op", "n", [gone], Snapshot(), ports, approved=None).result.status == (
        "succeeded"
    )
    assert ports.files.names("/opt/app") == ()
    assert action(spec(ensure="absent"), ports)[0] == "none"


def test_while_creates_is_there_nothing_is_looked_at() -> None:
    """Not even the archive has to be."""
    ports = world()
    del ports.files.nodes["/a.tar.gz"]
    ports.files.put("/opt/done", Node("file", 0o644, 0, 0))
    assert action(spec(creates="/opt/done"), ports)[0] == "none"
    assert action(spec(creates="/opt/other"), ports)[0] == "error"


@pytest.mark.parametrize(
    ("path", "node"),
    [
        ("/opt/app", Node("symlink", 0o777, 0, 0, b"/etc")),
        ("/opt/app", Node("file", 0o644, 0, 0)),
        ("/opt/app/bin", Node("symlink", 0o777, 0, 0, b"/etc")),
        ("/opt/app/readme", Node("directory", 0o755, 0, 0)),
        ("/opt/app/readme", Node("symlink", 0o777, 0, 0, b"/etc/passwd")),
    ],
)
def test_what_is_in_the_way_is_not_replaced(path: str, node: Node) -> None:
    """Above all no link is followed, and no directory of somebody's deleted."""
    ports = world()
    if path != "/opt/app":
        ports.files.put("/opt/app", Node("directory", 0o755, 0, 0))
    ports.files.put(path, node)
    before = ports.tree()
    assert action(spec(), ports)[0] == "error"
    apply_plan("op", "n", [resource("archive", "x", spec())], Snapshot(), ports, approved=None)
    assert ports.tree() == before


def test_an_archive_that_changed_since_the_plan_is_not_unpacked() -> None:
    """The decision was for another one."""
    ports = world()
    item = resource("archive", "x", spec())
    plan = make_plan("n", [item], Snapshot(), ports)
    ports.files.put("/a.tar.gz", Node("file", 0o644, 0, 0, packed({"app/evil": b""}, "gz")))
    approved = frozenset({plan.resources[0].digest or ""})
    outcome = apply_plan("op", "n", [item], Snapshot(), ports, approved=approved)
    assert outcome.result.resources[0].status == "stale"


def test_a_decision_binds_the_content_that_it_replaces() -> None:
    """Somebody's second edit, between plan and apply, is not overwritten unseen."""
    ports = world()
    item = resource("archive", "x", spec())
    first = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    digests: list[str] = []
    for content in (b"mine", b"mine too"):
        ports.files.put("/opt/app/readme", Node("file", 0o644, 0, 0, content))
        digests += [
            found.digest or "" for found in make_plan("n", [item], first.snapshot, ports).resources
        ]
    assert len(set(digests)) == 2
    late = apply_plan("op", "n", [item], first.snapshot, ports, approved=frozenset(digests[:1]))
    assert late.result.resources[0].status == "stale"
