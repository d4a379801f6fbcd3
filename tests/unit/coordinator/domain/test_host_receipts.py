"""Receipts are found by run, and are the host's own word."""

from __future__ import annotations

from coordinator.domain import host_receipts, runs
from protocol import receipts
from protocol.reports import content_digest
from tests.fakes.fleet import Fleet


def test_a_plan_carries_the_receipt_of_its_host() -> None:
    """It names the bytes of the plan, and holds for this host and run only."""
    fleet = Fleet()
    host, other = fleet.add(10), fleet.add(11)
    run = fleet.planned(host)
    step = run.steps[0]
    assert step.receipt is not None
    said = receipts.check(step.receipt, host.node_id, run.run_id)
    assert said.artifact == step.artifact
    find = host_receipts.of_run
    assert fleet.store.read_now(lambda tx: find(tx, other.node_id, run.run_id)) is None
    assert fleet.store.read_now(lambda tx: find(tx, host.node_id, "another run")) is None
    assert fleet.store.read_now(lambda tx: find(tx, "nobody", run.run_id)) is None


def test_the_newest_of_two_plans_has_its_own_receipt() -> None:
    """Each run finds its own."""
    fleet = Fleet()
    host = fleet.add(10)
    first, second = fleet.planned(host), fleet.planned(host)
    for run in (first, second):
        again = fleet.store.read_now(lambda tx, run=run: runs.get_run(tx, run.run_id))
        assert again is not None
    assert first.steps[0].receipt != second.steps[0].receipt
    assert content_digest(b"") != second.steps[0].artifact
