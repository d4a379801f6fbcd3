"""Runs that take an operation back."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import run_decisions, runs
from coordinator.domain.refusals import Refusal
from protocol import api
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet


def applied(fleet: Fleet, host: FakeHost) -> str:
    """The id of an apply on a host, wherever it stands."""
    run = fleet.apply_of(fleet.planned(host))
    return run.steps[0].operation_id


def plan_back(fleet: Fleet, host: FakeHost, of: str) -> api.Run:
    """A plan of taking an operation back, done by its host."""
    run = fleet.start(api.RunRequest("state.plan", (host.node_id,), rollback_of=of))
    offer = next(one for one in fleet.take(host).offers if one.run_id == run.run_id)
    assert (offer.rollback_of, offer.modules) == (of, ())
    plan = host.plan("/srv/0")
    assert fleet.deliver(host, host.result(offer, plan, digest=plan.digest)).fault is None
    return fleet.run(run.run_id)


def test_the_plan_and_the_apply_of_it_name_the_operation_to_the_host() -> None:
    """From the plan that was approved to the offer that carries it out."""
    fleet = Fleet()
    host = fleet.add(10)
    of = applied(fleet, host)
    planned = plan_back(fleet, host, of)
    run = fleet.start(api.RunRequest("state.apply", plan_run_id=planned.run_id))
    assert (run.phase, run.rollback_of, run.modules) == ("waiting_approval", of, ())
    envelope = fleet.decision(run)
    decided = fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, run.run_id, envelope)
    )
    assert isinstance(decided, api.Run), decided
    offer = fleet.one_offer(host)
    assert (offer.step, offer.rollback_of, offer.modules) == ("state.apply", of, ())
    assert offer.approved


def test_an_apply_without_a_plan_makes_one_of_the_same_operation() -> None:
    """Its plan run carries what is to be taken back."""
    fleet = Fleet()
    host = fleet.add(10)
    of = applied(fleet, host)
    run = fleet.start(api.RunRequest("state.apply", (host.node_id,), rollback_of=of))
    assert run.plan_run_id is not None
    assert fleet.run(run.plan_run_id).rollback_of == of


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"step": "state.drift"}, "rollback_of"),
        ({"modules": ("site",)}, "modules"),
        ({"nodes": "other"}, "nodes"),
        ({"rollback_of": "01JUNKNOWN"}, None),
    ],
    ids=["drift", "modules", "another host", "unknown"],
)
def test_what_cannot_be_taken_back_is_refused(
    changes: dict[str, object], field: str | None
) -> None:
    """The field is named; of an unknown operation there is nothing to name."""
    fleet = Fleet()
    host, other = fleet.add(10), fleet.add(11)
    request = api.RunRequest("state.plan", (host.node_id,), rollback_of=applied(fleet, host))
    if "nodes" in changes:
        changes = {"nodes": (other.node_id,)}
    asked = msgspec.structs.replace(request, **changes)
    refused = fleet.store.write_now(lambda tx: runs.create_run(tx, OPERATOR, asked))
    assert isinstance(refused, Refusal)
    assert (refused.kind == "not_found") == (field is None)
    assert field is None or field in (refused.details or {})


def test_a_plan_of_another_operation_is_not_taken_for_it() -> None:
    """An apply that names both must name the same."""
    fleet = Fleet()
    host = fleet.add(10)
    planned = plan_back(fleet, host, applied(fleet, host))
    request = api.RunRequest("state.apply", plan_run_id=planned.run_id, rollback_of="another")
    refused = fleet.store.write_now(lambda tx: runs.create_run(tx, OPERATOR, request))
    assert isinstance(refused, Refusal)
    assert "rollback_of" in (refused.details or {})
