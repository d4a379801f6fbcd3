"""The log of how an operation is taken back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.rollback import apply_rollback, plan_rollback
from state_engine.engine.undo_log import deeds_of
from state_engine.model import Snapshot
from state_engine.ports import PortError, ProgramCall
from state_engine.resources.contract import Observation, RunScript, Spec, Step
from state_engine.resources.registry import KINDS
from state_engine.resources.script import Script
from tests.fakes.network import NetworkPorts
from tests.fakes.ports import FakePorts
from tests.fakes.resources import a_file, a_script, resource


class Network(Script):
    """A kind that cuts hosts off, and can say how that is taken back."""

    name = "fake-network"
    risk = "connectivity"

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        del spec, observation, copies
        return (RunScript(ProgramCall(("down",)), "undo"),)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "script", Network())


def applied(ports: FakePorts, *names: str) -> Snapshot:
    for name in names:
        ports.programs.known[f"{name} apply"] = lambda: 0
    scripts = [a_script(name) for name in names]
    return apply_plan("op", "n", scripts, Snapshot(), ports, approved=None).snapshot


@pytest.mark.usefixtures("network")
def test_a_kind_that_knows_how_takes_its_own_acts_back() -> None:
    """By the steps that it named before it acted."""
    ports = FakePorts()
    snapshot = applied(ports, "up")
    ports.programs.known["down"] = lambda: 0
    [item] = plan_rollback("op", "n", snapshot, ports).resources
    assert (item.action, bool(item.digest)) == ("update", True)
    outcome = apply_rollback("back", "op", "n", snapshot, ports, approved=None)
    assert (outcome.result.status, ports.programs.calls[-1]) == ("succeeded", "down")
    assert outcome.snapshot.applied == ()


@pytest.mark.usefixtures("network")
def test_what_may_cut_the_host_off_is_noted_so_that_it_outlives_its_power() -> None:
    """And before it acts; the rest need not wait for the disk."""
    ports = FakePorts()
    noted: list[int] = []

    def up() -> int:
        noted.append(len(ports.reverts.durable))
        return 0

    ports.programs.known["up apply"] = up
    resources = [a_file("/f"), a_script("up")]
    apply_plan("op", "n", resources, Snapshot(), ports, approved=None)
    assert noted == [1]
    assert len(ports.reverts.held["op"]) == 4


def test_the_deeds_are_told_in_their_order_with_their_end() -> None:
    """What was unchanged is none."""
    ports = FakePorts()
    resources = [a_file("/1"), a_file("/2")]
    snapshot = apply_plan("op", "n", resources, Snapshot(), ports, approved=None).snapshot
    assert [deed.acting.key.identity for deed in deeds_of("op", ports)] == ["/1", "/2"]
    assert all(deed.after for deed in deeds_of("op", ports))
    apply_plan("op2", "n", resources, snapshot, ports, approved=None)
    assert deeds_of("op2", ports) == ()


def test_of_an_item_that_was_begun_twice_the_first_beginning_counts() -> None:
    """The second one has seen its own half-done work."""
    ports = FakePorts()
    apply_plan("op", "n", [a_file("/1", "1")], Snapshot(), ports, approved=None)
    [first] = deeds_of("op", ports)
    apply_plan("op", "n", [a_file("/1", "2")], Snapshot(), ports, approved=None)
    [both] = deeds_of("op", ports)
    assert both.acting == first.acting
    assert both.after != first.after


def test_a_log_that_is_damaged_is_refused() -> None:
    """Half of a way back is none."""
    ports = FakePorts()
    ports.reverts.held["op"] = [b'{"type":"acting"}']
    with pytest.raises(PortError, match="damaged"):
        deeds_of("op", ports)


@pytest.mark.parametrize("table", [254, 7])
def test_a_removal_is_taken_back_by_the_kind_that_did_it(table: int) -> None:
    """As `ensure: absent` would be: the dead-man switch covers what is desired no more."""
    ports = NetworkPorts()
    spec: dict[str, Json] = {"destination": "198.51.100.0/24", "interface": "eth0", "table": table}
    route = resource("network-route", "198.51.100.0/24", {**spec, "persist": "none"})
    first = apply_plan("op", "n", [route], Snapshot(), ports, approved=None).snapshot
    there = list(ports.network.held_routes)
    assert [each.table for each in there] == [table]
    armed: list[int] = []
    gone = apply_plan(
        "op2", "n", [], first, ports, approved=None, at_risk=lambda: armed.append(1)
    ).snapshot
    assert (ports.network.held_routes, gone.applied, armed) == ([], (), [1])
    back = apply_rollback("back", "op2", "n", gone, ports, approved=None, anyway=True)
    assert back.result.status == "succeeded"
    assert ports.network.held_routes == there
    assert [held.resource for held in back.snapshot.applied] == [route]


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("anyway", [False, True])
def test_what_a_later_apply_has_set_is_not_destroyed(anyway: bool) -> None:
    """No path tells of it, the snapshot does; the dead-man switch alone goes on."""
    ports = FakePorts()
    first = applied(ports, "up")
    ports.programs.known["other"] = ports.programs.known["down"] = lambda: 0
    later = [a_script("up", apply="other")]
    snapshot = apply_plan("op2", "n", later, first, ports, approved=None).snapshot
    assert snapshot.applied != first.applied
    [item] = plan_rollback("op", "n", snapshot, ports).resources
    assert (item.action, item.digest) == ("error", "")
    assert "applied anew" in str(item.message)
    outcome = apply_rollback("back", "op", "n", snapshot, ports, approved=None, anyway=anyway)
    assert outcome.result.status == ("succeeded" if anyway else "failed")
    assert ("down" in ports.programs.calls) == anyway


@pytest.mark.usefixtures("network")
def test_without_paths_taking_back_twice_is_taking_back_once() -> None:
    """What a rollback has left is no later change."""
    ports = FakePorts()
    snapshot = applied(ports, "up")
    ports.programs.known["down"] = lambda: 0
    for _ in range(2):
        outcome = apply_rollback("back", "op", "n", snapshot, ports, approved=None)
        assert outcome.result.status == "succeeded"
        snapshot = outcome.snapshot
        assert snapshot.applied == ()
