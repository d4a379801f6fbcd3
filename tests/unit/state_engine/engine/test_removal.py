"""What is no longer desired."""

from __future__ import annotations

import msgspec
import pytest

from state_engine.engine.digests import desired_digest
from state_engine.engine.prepared import Memory
from state_engine.engine.removal import Held, Removal, Standing, leaving, look_at_removal
from state_engine.model import AppliedResource, OnRemove, Snapshot
from state_engine.resources.contract import RemoveDirectory, RemoveFile
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_directory, a_file, a_script, resource

WORDS: tuple[OnRemove, ...] = ("keep", "undo", "delete")


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


def chosen(on_remove: OnRemove, *, created: bool) -> Removal:
    """Return the removal of a file whose module chose what becomes of it."""
    ports = FakePorts()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"ours"))
    made = msgspec.structs.replace(a_file("/f", "ours"), on_remove=on_remove)
    return look_at(AppliedResource(made, created=created), ports)


@pytest.mark.parametrize(
    ("on_remove", "created", "deleted"),
    [
        ("undo", True, True),
        ("undo", False, False),
        ("keep", True, False),
        ("keep", False, False),
        ("delete", True, True),
        ("delete", False, True),
    ],
)
def test_what_becomes_of_a_file_is_what_its_module_chose(
    on_remove: OnRemove, created: bool, deleted: bool
) -> None:
    """Keeping is a removal without steps; deleting does not ask who made it."""
    removal = chosen(on_remove, created=created)
    assert removal.item.action == "remove"
    steps = (RemoveFile("/f"),) if deleted else ()
    assert removal.undo.steps == steps


def test_the_choice_is_shown_and_a_decision_binds_it() -> None:
    """Approving the one is not approving the other, even where the steps are the same."""
    kept, undone, deleted = (chosen(word, created=False).item for word in WORDS)
    assert len({kept.digest, undone.digest, deleted.digest}) == 3
    assert "on_remove: keep" in str(kept.message)
    assert "it was there before us" in str(deleted.message)


def test_the_choice_of_a_desired_resource_is_bound_too() -> None:
    """Whoever approves a file that will be deleted has approved that."""
    ports = FakePorts()
    made = a_file("/f")
    digests = {
        desired_digest(msgspec.structs.replace(made, on_remove=word), ports) for word in WORDS
    }
    assert len(digests) == 3


def test_a_directory_with_something_in_it_is_not_deleted_whatever_is_chosen() -> None:
    """The step is the one that keeps a directory that is not empty."""
    ports = FakePorts()
    ports.files.put("/d", Node("directory", 0o755, 0, 0))
    made = msgspec.structs.replace(a_directory("/d"), on_remove="delete")
    assert look_at(AppliedResource(made), ports).undo.steps == (RemoveDirectory("/d"),)


def test_the_state_of_the_file_burns_an_approval() -> None:
    """Deleting a file that someone edited since is another decision."""
    ports = FakePorts()
    applied = AppliedResource(a_file("/f", "ours"), created=True)
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"ours"))
    before = look_at(applied, ports).item.digest
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"edited"))
    assert look_at(applied, ports).item.digest != before


def test_a_line_goes_from_a_file_that_others_still_look_at() -> None:
    """What only stands in a file is another thing than the file; a whole file stays for it."""
    ports, memory = FakePorts(), Memory()
    ports.files.put("/f", Node("file", 0o644, 0, 0, b"one\ntwo\n"))
    one, two = (
        resource("line-in-file", f"/f: {line}", {"path": "/f", "line": line})
        for line in ("one", "two")
    )
    standing = Standing([two], ports, memory)
    line = look_at_removal(AppliedResource(one, created=True), ports, memory, standing)
    assert len(line.undo.steps) == 1
    whole = AppliedResource(a_file("/f", "one\ntwo\n"), created=True)
    kept = look_at_removal(whole, ports, memory, standing)
    assert kept.undo.steps == ()
    assert "/f" in (kept.item.message or "")


def standing_of(ports: FakePorts, path: str) -> Removal:
    """Return the removal of `path`, while /desired/f stays."""
    memory = Memory()
    standing = Standing([a_file("/desired/f", "x")], ports, memory)
    applied = AppliedResource(a_file(path, "x"), created=True)
    return look_at_removal(applied, ports, memory, standing)


def linked(name: str) -> FakePorts:
    """Return a host on which one file has two names."""
    ports = FakePorts()
    for path in ("/desired", "/other"):
        ports.files.put(path, Node("directory", 0o755, 0, 0))
    node = Node("file", 0o644, 0, 0, b"x")
    ports.files.put(f"/other/{name}", node)
    ports.files.nodes["/desired/f"] = node
    return ports


def test_a_hard_link_is_a_thing_of_its_own() -> None:
    """It goes, and what has another name stays."""
    removal = standing_of(linked("g"), "/other/g")
    assert len(removal.undo.steps) == 1


def test_a_removal_that_was_shown_to_keep_does_not_delete_later() -> None:
    """Writing the desired file anew parts the two: then it is another decision."""
    ports = linked("f")
    kept = standing_of(ports, "/other/f")
    assert kept.undo.steps == ()
    ports.files.put("/desired/f", Node("file", 0o644, 0, 0, b"x"))
    gone = standing_of(ports, "/other/f")
    assert len(gone.undo.steps) == 1
    assert gone.item.digest != kept.item.digest
