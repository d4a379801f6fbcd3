"""The kind directory-unix."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.model import AppliedResource, Snapshot
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeDirectory,
    RemoveDirectory,
    SetAttributes,
)
from state_engine.resources.directory_unix import DirectoryUnix
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory, a_file, resource

KIND = DirectoryUnix()
SPEC = a_directory("/d", mode="0750", owner="app", group="root").spec


def test_problems_name_their_fields() -> None:
    """All at once."""
    spec = a_directory("d/", mode="x", owner=" ", group=" ").spec
    assert [problem.field for problem in KIND.validate(spec)] == ["path", "mode", "owner", "group"]
    assert KIND.validate(SPEC) == []
    assert KIND.identity(SPEC, None) == "/d"
    assert KIND.identity({}, None) is None
    assert KIND.watches(SPEC) == ("/d",)
    assert not KIND.runs_code(SPEC)


def test_a_missing_directory_is_made() -> None:
    """One step, with what is managed."""
    ports = FakePorts()
    difference = KIND.compare(SPEC, KIND.observe(SPEC, ports, verify=False), Context())
    assert difference.action == "create"
    assert [change.field for change in difference.changes] == ["owner", "group", "mode"]
    assert KIND.steps(SPEC, difference) == (MakeDirectory("/d", 0o750, "app", "root"),)


def test_other_attributes_are_set() -> None:
    """Only what differs is shown."""
    ports = FakePorts()
    ports.files.put("/d", Node("directory", 0o755, 1000, 0))
    difference = KIND.compare(SPEC, KIND.observe(SPEC, ports, verify=False), Context())
    assert [(c.field, c.current, c.desired) for c in difference.changes] == [
        ("mode", "0755", "0750")
    ]
    assert KIND.steps(SPEC, difference) == (SetAttributes("/d", 0o750, "app", "root"),)


def test_what_is_as_desired_needs_no_step() -> None:
    """None, and a glance would say the same."""
    ports = FakePorts()
    ports.files.put("/d", Node("directory", 0o750, 1000, 0))
    difference = KIND.compare(SPEC, KIND.observe(SPEC, ports, verify=False), Context())
    assert difference.action == "none"
    assert KIND.steps(SPEC, difference) == ()
    glance = KIND.glance(SPEC)
    assert glance is not None
    assert glance.mode == 0o750


def test_a_file_in_its_place_is_an_error() -> None:
    """It is never replaced."""
    ports = FakePorts()
    ports.files.put("/d", Node("file", 0o644, 0, 0))
    observation = KIND.observe(SPEC, ports, verify=False)
    assert KIND.compare(SPEC, observation, Context()).action == "error"


def test_removal_takes_only_what_we_made() -> None:
    """An existing one, a vanished one and a replaced one stay as they are."""
    ports = FakePorts()
    resource = a_directory("/d")
    ours = AppliedResource(resource, created=True)
    assert KIND.undo(SPEC, None, ours).steps == ()
    ports.files.put("/d", Node("directory", 0o750, 0, 0))
    found = KIND.observe(SPEC, ports, verify=False)
    assert found is not None
    assert found.captured is None
    assert KIND.undo(SPEC, found, ours).steps == (RemoveDirectory("/d"),)
    assert KIND.undo(SPEC, found, AppliedResource(resource)).steps == ()
    ports.files.put("/d", Node("file", 0o750, 0, 0))
    assert KIND.undo(SPEC, KIND.observe(SPEC, ports, verify=False), ours).steps == ()


def test_an_absent_directory_goes_if_it_is_empty() -> None:
    """The step keeps one that is not; the plan says so; what is no directory is an error."""
    spec: dict[str, Json] = {"path": "/d", "ensure": "absent"}
    assert KIND.validate(spec) == []
    assert [problem.field for problem in KIND.validate({**SPEC, "ensure": "absent"})] == ["ensure"]
    assert KIND.glance(spec) is None
    ports = FakePorts()
    assert KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context()).action == "none"
    ports.files.put("/d", Node("directory", 0o755, 0, 0))
    found = KIND.observe(spec, ports, verify=False)
    difference = KIND.compare(spec, found, Context())
    assert (difference.action, difference.message) == ("update", None)
    assert KIND.steps(spec, difference) == (RemoveDirectory("/d"),)
    assert KIND.undo(spec, found, AppliedResource(a_directory("/d"), created=True)).steps == ()
    ports.files.put("/d/theirs", Node("file", 0o644, 0, 0))
    full = KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())
    assert "not empty" in (full.message or "")
    ports.files.put("/d", Node("file", 0o644, 0, 0))
    assert KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context()).action == "error"


TREE: dict[str, Json] = {
    "path": "/d",
    "owner": "root",
    "mode": "0750",
    "file_mode": "0640",
    "recursive": True,
    "purge": True,
}


def full() -> FakePorts:
    ports = FakePorts()
    ports.files.put("/d", Node("directory", 0o755, 0, 0))
    ports.files.put("/d/ours", Node("file", 0o600, 1000, 0, b"o"))
    ports.files.put("/d/sub", Node("directory", 0o755, 1000, 0))
    ports.files.put("/d/sub/ours", Node("file", 0o600, 0, 0, b"o"))
    ports.files.put("/d/sub/left", Node("file", 0o600, 1000, 0, b"l"))
    ports.files.put("/d/theirs", Node("file", 0o600, 1000, 0, b"t"))
    return ports


def purging(ports: FakePorts, *managed: str) -> Difference:
    context = Context(managed=lambda: frozenset(managed))
    return KIND.compare(TREE, KIND.observe(TREE, ports, verify=False), context)


def test_what_is_in_it_goes_or_gets_its_attributes() -> None:
    """Each entry is shown and bound; a managed one is left to its own resource."""
    difference = purging(full(), "/d", "/d/ours", "/d/sub/ours")
    assert [change.field for change in difference.changes] == [
        "mode",
        "entry theirs",
        "sub: owner",
        "sub: mode",
        "sub/left: owner",
        "sub/left: mode",
    ]
    assert (difference.action, difference.removes) == ("update", 1)
    assert len(difference.binds) == 3
    assert KIND.steps(TREE, difference) == difference.steps
    assert KIND.purges(TREE)
    assert not KIND.purges(SPEC)
    assert KIND.glance(TREE) is None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"ensure": "absent", "purge": True}, "ensure"),
        ({"file_mode": "0644"}, "file_mode"),
        ({"recursive": True}, "recursive"),
        ({"recursive": True, "file_mode": "rw"}, "file_mode"),
    ],
)
def test_fields_of_its_content_belong_together(fields: dict[str, Json], wrong: str) -> None:
    assert [problem.field for problem in KIND.validate({"path": "/d", **fields})] == [wrong]
    assert KIND.validate(TREE) == []


def test_a_purge_is_one_approved_item_and_leaves_nothing_to_do() -> None:
    """Plan, apply, plan is empty; copies of what went are kept; the managed files stay."""
    ports = full()
    top = resource("directory-unix", "/d", TREE)
    ours = a_file("/d/ours", "o", depends_on=(top,))
    resources = [top, ours, a_file("/d/sub/ours", "o")]
    plan = make_plan("n", resources, Snapshot(), ports)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=approved)
    assert outcome.result.status == "succeeded"
    assert set(ports.files.nodes) == {"/", "/d", "/d/ours", "/d/sub", "/d/sub/ours", "/d/sub/left"}
    assert b"t" in ports.backups.kept.values()
    again = make_plan("n", resources, outcome.snapshot, ports)
    assert again.summary.none == 3
    assert find_drift(outcome.snapshot, ports) == ()
    ports.files.put("/d/new", Node("file", 0o644, 0, 0))
    [drifted] = find_drift(outcome.snapshot, ports)
    assert [change.field for change in drifted.changes] == ["entry new"]


def test_an_approved_purge_takes_nothing_that_was_not_shown() -> None:
    """Neither an entry that came later, nor one that stopped being managed."""
    ports = full()
    top = resource("directory-unix", "/d", TREE)
    resources = [top, a_file("/d/ours", "o"), a_file("/d/sub/ours", "o")]
    plan = make_plan("n", resources, Snapshot(), ports)
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    for change in ("file", "module"):
        before = ports.tree()
        if change == "file":
            ports.files.put("/d/late", Node("file", 0o644, 0, 0))
            outcome = apply_plan("op", "n", resources, Snapshot(), ports, approved=approved)
            del ports.files.nodes["/d/late"]
        else:
            fewer = [top, resources[2]]
            outcome = apply_plan("op", "n", fewer, Snapshot(), ports, approved=approved)
        assert outcome.result.resources[0].status == "stale"
        assert ports.tree() == before


def test_each_purged_entry_counts_as_a_removal() -> None:
    """The guard refuses the whole apply before anything is done."""
    ports = full()
    resources = [resource("directory-unix", "/d", TREE), a_file("/d/ours", "o")]
    before = ports.tree()
    for limit, status in ((3, "failed"), (4, "succeeded")):
        assert ports.tree() == before
        outcome = apply_plan(
            "op", "n", resources, Snapshot(), ports, approved=None, removal_limit=limit
        )
        assert outcome.result.status == status
