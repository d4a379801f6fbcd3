"""What waits for signatures, as the API shows it."""

from __future__ import annotations

import pytest

from coordinator.domain import approvals, run_decisions, runs
from coordinator.domain.refusals import Refusal
from protocol import api
from protocol.api_approvals import Approval, Waiting
from protocol.decisions import Verdict
from protocol.ids import DEFAULT_SCOPE
from protocol.roster import ApprovalRule
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, Fleet

TEAM = tuple(people.person(number, "admin" if number == 1 else "operator") for number in (1, 2, 3))


@pytest.fixture
def fleet() -> Fleet:
    made = Fleet()
    rule = ApprovalRule(2, requester_excluded=True)
    made.adopt(operators=TEAM, postures={DEFAULT_SCOPE: "prod"}, approvals={"prod": rule})
    return made


@pytest.fixture
def run(fleet: Fleet) -> api.Run:
    return fleet.apply_of(fleet.planned(fleet.add(10)))


def shown(fleet: Fleet, run: api.Run) -> Approval:
    found = fleet.store.read_now(lambda tx: approvals.get(tx, run.run_id))
    assert isinstance(found, Approval)
    return found


def give(fleet: Fleet, run: api.Run, number: int = 1, verdict: Verdict = "approve") -> None:
    envelope = fleet.decision(run, number=number, verdict=verdict, requested_by=people.keyid(1))
    outcome = fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, run.run_id, envelope)
    )
    assert not isinstance(outcome, Refusal), outcome


def test_it_tells_who_signed_and_who_still_has_to(fleet: Fleet, run: api.Run) -> None:
    """The rule, the requester apart from those who count, and who is left."""
    before = shown(fleet, run)
    assert (before.status, before.posture, before.quorum) == ("pending", "prod", 2)
    assert before.waiting == Waiting(2, "", ("person1", "person2", "person3"))
    give(fleet, run, 2)
    one = shown(fleet, run)
    assert one.waiting == Waiting(1, "person1", ("person1", "person3"))
    give(fleet, run, 1)
    two = shown(fleet, run)
    assert two.waiting == Waiting(1, "", ("person3",))
    assert [(s.username, s.counts) for s in two.signed] == [("person2", True), ("person1", False)]
    assert two.requested_by == "person1"
    give(fleet, run, 3)
    done = shown(fleet, run)
    assert (done.status, done.waiting) == ("approved", None)


def test_only_what_waits_is_listed(fleet: Fleet, run: api.Run) -> None:
    """A run that was denied is shown by its id, and is not in the list."""
    page = fleet.store.read_now(lambda tx: approvals.listing(tx, limit=10, offset=0))
    assert ([one.run_id for one in page.approvals], page.total) == ([run.run_id], 1)
    give(fleet, run, 2, "deny")
    page = fleet.store.read_now(lambda tx: approvals.listing(tx, limit=10, offset=0))
    assert (page.approvals, page.total) == ((), 0)
    assert shown(fleet, run).status == "denied"


def test_a_run_that_was_cancelled_waits_for_nothing(fleet: Fleet, run: api.Run) -> None:
    fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, run.run_id))
    found = shown(fleet, run)
    assert (found.status, found.waiting) == ("cancelled", None)


def test_what_is_no_apply_has_no_approval(fleet: Fleet, run: api.Run) -> None:
    assert run.plan_run_id is not None
    for run_id in (run.plan_run_id, "01NOWHERE"):
        found = fleet.store.read_now(lambda tx, one=run_id: approvals.get(tx, one))  # type: ignore[misc]  # bound now
        assert isinstance(found, Refusal)
