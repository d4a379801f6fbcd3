"""The kind directory-unix."""

from __future__ import annotations

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.contract import (
    Context,
    MakeDirectory,
    RemoveDirectory,
    SetAttributes,
)
from state_engine.resources.directory_unix import DirectoryUnix
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory

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
