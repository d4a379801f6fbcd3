"""Putting right what was changed since the last apply."""

from __future__ import annotations

import msgspec

from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.repair import repair, repairable
from state_engine.model import ResolvedResource, ResourceKey, Snapshot
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import a_file, a_script


def mending(resource: ResolvedResource) -> ResolvedResource:
    return msgspec.structs.replace(resource, on_drift="repair")


def applied(ports: FakePorts, *resources: ResolvedResource) -> Snapshot:
    outcome = apply_plan("op1", "n", resources, Snapshot(), ports, approved=None)
    assert outcome.result.status == "succeeded"
    return outcome.snapshot


def spoil(ports: FakePorts, *paths: str) -> None:
    for path in paths:
        ports.files.put(path, Node("file", 0o644, 0, 0, b"edited"))


def keys(*resources: ResolvedResource) -> frozenset[ResourceKey]:
    return frozenset(resource.key for resource in resources)


def test_only_what_says_so_and_was_asked_for_is_put_right() -> None:
    """A module that says nothing is told of drift, and a look at one resource repairs that one."""
    ports = FakePorts()
    one, other, plain = mending(a_file("/1")), mending(a_file("/2")), a_file("/3")
    snapshot = applied(ports, one, other, plain)
    assert repairable(snapshot) == keys(one, other)
    spoil(ports, "/1", "/2", "/3")
    outcome = repair("fix", "n", snapshot, ports, keys=keys(one, plain))
    assert [(item.identity, item.status) for item in outcome.result.resources] == [
        ("/1", "changed")
    ]
    assert [item.identity for item in find_drift(outcome.snapshot, ports)] == ["/2", "/3"]


def test_it_leaves_the_snapshot_that_of_its_operation() -> None:
    """No decision was made: what was applied, and in which order it goes away, stays."""
    ports = FakePorts()
    files = [mending(a_file(f"/{number}")) for number in range(3)]
    snapshot = applied(ports, *files)
    spoil(ports, "/1")
    outcome = repair("fix", "n", snapshot, ports, keys=keys(*files))
    assert outcome.snapshot == snapshot
    assert (outcome.result.status, outcome.result.operation_id) == ("succeeded", "fix")


def test_what_reacts_to_a_repaired_file_acts_too() -> None:
    """A service has read the wrong file; and what reacts to nothing of it stays alone."""
    ports = FakePorts()
    ports.programs.known.update({"up apply": lambda: 0, "else apply": lambda: 0})
    one, other = mending(a_file("/1")), a_file("/2")
    scripts = a_script("up", rerun_on=(one,)), a_script("else", rerun_on=(other,))
    snapshot = applied(ports, one, other, *scripts)
    ports.programs.calls.clear()
    spoil(ports, "/1")
    outcome = repair("fix", "n", snapshot, ports, keys=keys(one))
    assert [item.identity for item in outcome.result.resources] == ["/1", "up"]
    assert ports.programs.calls == ["up apply"]
    assert outcome.snapshot.pending == ()


def test_a_reaction_that_fails_stays_pending() -> None:
    """As after an apply."""
    ports = FakePorts()
    ports.programs.known["up apply"] = lambda: 0
    one = mending(a_file("/1"))
    up = a_script("up", rerun_on=(one,))
    snapshot = applied(ports, one, up)
    ports.programs.known["up apply"] = lambda: 1
    spoil(ports, "/1")
    outcome = repair("fix", "n", snapshot, ports, keys=keys(one))
    assert outcome.result.status == "failed"
    assert outcome.snapshot.pending == (up.key,)


def test_what_cannot_be_put_right_says_so() -> None:
    """And nothing else is done about it."""
    ports = FakePorts()
    one = mending(a_file("/1"))
    snapshot = applied(ports, one)
    ports.files.put("/1", Node("directory", 0o755, 0, 0))
    [result] = repair("fix", "n", snapshot, ports, keys=keys(one)).result.resources
    assert (result.status, result.action) == ("failed", "error")


def test_it_can_be_cancelled() -> None:
    """Before the next item."""
    ports = FakePorts()
    one = mending(a_file("/1"))
    snapshot = applied(ports, one)
    spoil(ports, "/1")
    outcome = repair("fix", "n", snapshot, ports, keys=keys(one), cancelled=lambda: True)
    assert outcome.result.status == "cancelled"
    assert ports.files.nodes["/1"].content == b"edited"
