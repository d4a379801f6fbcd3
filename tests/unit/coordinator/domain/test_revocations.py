"""Decisions taken back."""

from __future__ import annotations

import pytest

from coordinator.domain import revocations, run_decisions
from coordinator.domain.refusals import Refusal
from protocol import api, api_approvals, dsse, ids
from protocol.reasons import Reason
from protocol.revocations import Revocation, encode
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


@pytest.fixture
def run(fleet: Fleet, host: FakeHost) -> api.Run:
    return fleet.apply_of(fleet.planned(host))


def approve(fleet: Fleet, run: api.Run, **changes: object) -> api.Run:
    envelope = fleet.decision(run, **changes)  # type: ignore[arg-type]  # the fake takes each field
    after = fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, run.run_id, envelope)
    )
    assert isinstance(after, api.Run), after
    return after


def revoke(fleet: Fleet, number: int = 1, **changes: object) -> api_approvals.Revoked | Refusal:
    fields: dict[str, object] = {
        "v": 1,
        "decision_id": people.ULID,
        "scope": ids.DEFAULT_SCOPE,
        "at": int(fleet.clock.now),
    }
    made = Revocation(**(fields | changes))  # type: ignore[arg-type]  # tests give each its type
    envelope = people.sign(dsse.REVOCATION, encode(made), number)
    return fleet.store.write_now(lambda tx: revocations.revoke(tx, OPERATOR, people.ULID, envelope))


def test_what_was_approved_is_stopped_and_hosts_are_told(
    fleet: Fleet, host: FakeHost, run: api.Run
) -> None:
    """No offer follows, every link is woken, and the revocation stays until the decision's end."""
    assert approve(fleet, run).phase == "queued"
    done = revoke(fleet, reason="wrong day")
    assert done == api_approvals.Revoked(people.ULID, run.run_id, "cancelled")
    assert not fleet.take(host).offers
    assert "roster" in fleet.told[-1]
    [told] = fleet.store.read_now(revocations.in_force)
    assert told.decision_id == people.ULID
    assert revoke(fleet, reason="wrong day") == done
    fleet.clock.now += 3_600
    assert fleet.store.read_now(revocations.in_force) == ()


def test_a_decision_that_was_taken_back_collects_no_more(fleet: Fleet, run: api.Run) -> None:
    """The run waits anew: the same decision is refused, another one may follow."""
    from protocol.roster import ApprovalRule

    team = (people.person(1), people.person(2))
    fleet.adopt(operators=team, approvals={"*": ApprovalRule(2)})
    assert approve(fleet, run).phase == "waiting_approval"
    assert not isinstance(revoke(fleet), Refusal)
    assert fleet.run(run.run_id).decision is None
    envelope = fleet.decision(run)
    again = fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, run.run_id, envelope)
    )
    assert isinstance(again, Refusal)
    assert again.code == Reason.REVOKED
    other = approve(fleet, run, decision_id="01JZ0000000000000000000002")
    assert other.decision is not None


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (99, {}),
        (1, {"decision_id": "01JZ0000000000000000000009"}),
        (1, {"scope": "other/x/y"}),
        (1, {"expires_at": 1_800_000_001}),
        (4, {}),
    ],
)
def test_what_is_no_revocation_of_it_changes_nothing(
    fleet: Fleet, run: api.Run, number: int, changes: dict[str, object]
) -> None:
    """A stranger's, another decision's, another scope's, one that hosts would forget too early."""
    fleet.adopt(operators=(people.person(1), people.person(4, "viewer")))
    approve(fleet, run)
    assert isinstance(revoke(fleet, number, **changes), Refusal)
    assert fleet.run(run.run_id).phase == "queued"


def test_an_unknown_decision_is_not_found(fleet: Fleet, run: api.Run) -> None:
    outcome = revoke(fleet)
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "not_found"
    assert fleet.run(run.run_id).phase == "waiting_approval"
