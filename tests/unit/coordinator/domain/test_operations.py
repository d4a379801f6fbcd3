from __future__ import annotations

import pytest

from coordinator.domain import operations, run_decisions, runs
from coordinator.domain.refusals import Refusal
from protocol import api
from protocol.messages import RefusedStep
from protocol.reports import ApplyResult, CapturedStream, ResourceResult, ScriptOutput
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


def approve(fleet: Fleet, apply: api.Run) -> None:
    envelope = fleet.decision(apply)
    fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, apply.run_id, envelope)
    )


def only(fleet: Fleet, node_id: str | None = None) -> api.Operation:
    page = fleet.store.read_now(lambda tx: operations.page(tx, node_id=node_id))
    assert isinstance(page, api.OperationPage)
    (operation,) = page.operations
    assert page.total == 1
    return operation


def test_an_operation_shows_where_its_apply_stands(fleet: Fleet, host: FakeHost) -> None:
    """Waiting, running, refused: in the words of the published interface and ours."""
    apply = fleet.apply_of(fleet.planned(host))
    assert only(fleet).status == "waiting_approval"
    approve(fleet, apply)
    assert only(fleet, host.node_id).status == "running"
    fleet.one_offer(host)
    fleet.deliver(host, host.say(RefusedStep(apply.run_id, 1, "expired", "too late")))
    shown = only(fleet)
    assert (shown.status, shown.reason, shown.message) == ("refused", "expired", "too late")
    assert shown.finished_at is not None


def test_a_cancelled_apply_is_a_cancelled_operation(fleet: Fleet, host: FakeHost) -> None:
    """Also where no host ever heard of it."""
    apply = fleet.apply_of(fleet.planned(host))
    fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, apply.run_id))
    assert only(fleet).status == "cancelled"


def test_a_finished_operation_shows_its_resources_and_output(fleet: Fleet, host: FakeHost) -> None:
    """Resources in the single view only; output under its host only."""
    apply = fleet.apply_of(fleet.planned(host))
    approve(fleet, apply)
    offer = fleet.one_offer(host)
    said = ScriptOutput(apply=CapturedStream(0, "out", ""))
    result = ApplyResult(
        offer.operation_id,
        host.node_id,
        ("site",),
        "succeeded",
        1.5,
        2.5,
        (ResourceResult("site", "script", "x", "run", "changed"),),
        {"site/x": said},
    )
    fleet.deliver(host, host.result(offer, result))
    assert only(fleet).resources == ()
    one = fleet.store.read_now(lambda tx: operations.get(tx, offer.operation_id))
    assert isinstance(one, api.Operation)
    assert (one.resources, one.snapshot_id) == (result.resources, offer.operation_id)
    assert (one.actor, one.modules) == ("person1", ("site",))
    operation_id, node_id = offer.operation_id, host.node_id
    printed = fleet.store.read_now(lambda tx: operations.output(tx, node_id, operation_id))
    assert printed == {"site/x": said}
    other = fleet.add(11).node_id
    wrong = fleet.store.read_now(lambda tx: operations.output(tx, other, operation_id))
    assert isinstance(wrong, Refusal)


def test_plans_are_no_operations(fleet: Fleet, host: FakeHost) -> None:
    """Neither in the list nor by their id."""
    run = fleet.planned(host)
    page = fleet.store.read_now(operations.page)
    assert isinstance(page, api.OperationPage)
    assert page.total == 0
    plan_id = run.steps[0].operation_id
    assert isinstance(fleet.store.read_now(lambda tx: operations.get(tx, plan_id)), Refusal)
    assert isinstance(fleet.store.read_now(lambda tx: operations.page(tx, node_id="x")), Refusal)
