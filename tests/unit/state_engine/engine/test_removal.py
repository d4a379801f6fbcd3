"""What is no longer desired."""

from __future__ import annotations

from state_engine.engine.prepared import Memory
from state_engine.engine.removal import Held, Removal, Standing, leaving, look_at_removal
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, a_script, resource


def look_at(applied: AppliedResource, ports: FakePorts) -> Removal:
    memory = Memory()
    return look_at_removal(applied, ports, memory, Standing((), ports, memory))


def test_what_was_applied_last_leaves_first() -> None:
    """And what is still desired does not leave."""
    one, two, three = a_file("/1"), a_file("/2"), a_file("/3")
    snapshot = Snapshot(applied=tuple(map(AppliedResource, (one, two, three))))
    found = leaving([two], snapshot, Memory())
    assert [item.resource.identity for item in found] == ["/3", "/1"]
    assert leaving([two], Snapshot(), Memory()) == []


def test_a_path_that_another_module_claims_does_not_leave() -> None:
    """Moving a resource between modules must not delete it."""
    old, new = a_file("/f"), a_file("/f", module="other")
    snapshot = Snapshot(applied=(AppliedResource(old, created=True),))
    assert leaving([new], snapshot, Memory()) == []
    passed_on = Held(snapshot).get(new.key)
    assert passed_on is not None
    assert passed_on.created
    assert Held(snapshot).exactly(new.key) is None


def test_a_removal_runs_no_code_of_the_module_and_is_bound() -> None:
    """Not even a check: the module may be gone because it was bad."""
    ports = FakePorts()
    script = AppliedResource(a_script("s", check="check", undo="back"))
    removal = look_at(script, ports)
    assert ports.programs.calls == []
    assert (removal.item.action, len(removal.item.digest)) == ("remove", 64)
    assert len(removal.undo.steps) == 1


def test_the_undo_of_a_sensitive_script_is_masked() -> None:
    """As its other bodies are."""
    applied = AppliedResource(a_script("s", undo="secret words", sensitive=("undo",)))
    item = look_at(applied, FakePorts()).item
    assert "secret words" not in str(item)


def test_what_cannot_be_looked_at_is_an_error_and_unknown_kinds_are_forgotten() -> None:
    """One cannot be removed now, the other never."""
    ports = FakePorts()
    bad = look_at(AppliedResource(a_file("/../f"), created=True), ports)
    assert (bad.item.action, bad.item.digest, bad.undo.steps) == ("error", "", ())
    unknown = look_at(AppliedResource(resource("unknown", "x", {})), ports)
    assert (unknown.item.action, unknown.undo.steps) == ("remove", ())


def test_the_state_of_the_file_burns_an_approval() -> None:
    """Deleting a file that someone edited since is another decision."""
    ports = FakePorts()
    applied = AppliedResource(a_file("/f", "ours"), created=True)
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"ours"))
    before = look_at(applied, ports).item.digest
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"edited"))
    assert look_at(applied, ports).item.digest != before
