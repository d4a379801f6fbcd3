"""What a machine is believed to hold."""

from __future__ import annotations

from state_engine.engine.machine import machine_state
from state_engine.engine.prepared import Memory
from state_engine.model import AppliedResource, Snapshot
from tests.fakes.ports import FakePorts
from tests.fakes.resources import a_file


def test_the_three_groups() -> None:
    """Applied; applied and no longer desired; desired and not applied as it stands now."""
    same, gone, half = a_file("/same"), a_file("/gone"), a_file("/half")
    snapshot = Snapshot(
        applied=(
            AppliedResource(same),
            AppliedResource(gone),
            AppliedResource(a_file("/changed", "old")),
            AppliedResource(half, incomplete=True),
        )
    )
    desired = [same, a_file("/changed", "new"), half, a_file("/new")]
    state = machine_state(desired, snapshot, FakePorts(), Memory())
    assert [item.identity for item in state.applied] == ["/same", "/gone", "/changed"]
    assert [item.identity for item in state.pending_removals] == ["/gone"]
    assert [item.identity for item in state.unapplied] == ["/changed", "/half", "/new"]
