from __future__ import annotations

from coordinator.domain import state
from coordinator.domain.refusals import Refusal
from protocol.reports import MachineState
from tests.fakes.fleet import Fleet


def test_a_host_holds_nothing_before_its_first_apply() -> None:
    """An unknown host is refused; what an apply leaves is in the tests of the reports."""
    fleet = Fleet()
    node = fleet.add(10).node_id
    assert fleet.store.read_now(lambda tx: state.machine_state(tx, node)) == MachineState()
    assert isinstance(fleet.store.read_now(lambda tx: state.machine_state(tx, "x")), Refusal)
