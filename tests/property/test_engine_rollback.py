"""What holds for taking back whatever an apply did, on every host, wherever it was cut off."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import assume, given
from hypothesis import strategies as st

from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.engine.rollback import apply_rollback, plan_rollback
from state_engine.model import Snapshot
from tests.property.test_engine import Host, KilledError, hosts


@given(hosts())
def test_an_apply_that_is_taken_back_was_never_made(host: Host) -> None:
    """The tree is as before, by exactly the items that were shown; scripts stay done."""
    before = host.ports.tree()
    _, snapshot = host.apply(Snapshot())
    assume(host.ports.tree() != before)
    plan = plan_rollback("op", "node", snapshot, host.ports)
    assert plan.summary.error == 0
    approved = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_rollback("back", "op", "node", snapshot, host.ports, approved=approved)
    assert outcome.result.status == "succeeded", outcome.result
    assert host.ports.tree() == before
    changed = {item.identity for item in outcome.result.resources if item.status == "changed"}
    assert changed == {item.identity for item in plan.resources if item.digest}


@given(hosts(), st.integers(0, 8), st.booleans())
def test_an_apply_that_was_killed_can_be_taken_back(host: Host, after: int, lost: bool) -> None:
    """At any point, with what the interrupted call had told of itself lost."""
    before = host.ports.tree()
    with suppress(KilledError):
        host.apply(Snapshot(), die_after=after, lost=lost)
    assume(host.ports.reverts.held)
    outcome = apply_rollback("back", "op", "node", Snapshot(), host.ports, approved=None)
    assert outcome.result.status == "succeeded", outcome.result
    assert host.ports.tree() == before


@given(hosts())
def test_taking_back_the_taking_back_leaves_nothing_to_do(host: Host) -> None:
    """A rollback is an operation like any other."""
    before = host.ports.tree()
    _, snapshot = host.apply(Snapshot())
    assume(host.ports.tree() != before)
    after = host.ports.tree()
    back = apply_rollback("back", "op", "node", snapshot, host.ports, approved=None)
    forth = apply_rollback("forth", "back", "node", back.snapshot, host.ports, approved=None)
    assert forth.result.status == "succeeded", forth.result
    assert host.ports.tree() == after
    files = [resource for resource in host.resources if resource.kind != "script"]
    assert make_plan("node", files, forth.snapshot, host.ports).summary.update == 0


@given(hosts())
def test_applying_after_a_rollback_does_the_whole_work_again(host: Host) -> None:
    """Nothing is believed to stand that was taken back."""
    before = host.ports.tree()
    _, snapshot = host.apply(Snapshot())
    assume(host.ports.tree() != before)
    after = host.ports.tree()
    back = apply_rollback("back", "op", "node", snapshot, host.ports, approved=None)
    again = apply_plan("op2", "node", host.resources, back.snapshot, host.ports, approved=None)
    assert again.result.status == "succeeded", again.result
    assert host.ports.tree() == after
