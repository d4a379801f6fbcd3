"""What the coordinator signs by itself, and what it leaves to people."""

from __future__ import annotations

import pytest

from coordinator.domain import autosigning
from coordinator.store import presence
from coordinator.store.database import Tx
from protocol import api, decisions
from protocol.decisions import Decision
from protocol.roster import ApprovalRule
from tests.fakes import people
from tests.fakes.fleet import FakeHost, Fleet

COORDINATOR = people.key(9)
LETS_IT = {"policy.signature.state.apply": "coordinator", "policy.quorum.state.apply": 1}


@pytest.fixture
def fleet() -> Fleet:
    made = Fleet()
    made.adopt(operators=(people.person(1), people.person(9, "automation")))
    return made


def tell(fleet: Fleet, host: FakeHost, details: dict[str, int | float | str | None]) -> None:
    def job(tx: Tx) -> None:
        presence.connect(
            tx,
            host.node_id,
            session="s",
            peer="192.0.2.1",
            hostname="h",
            agent_version="1",
            roster_version=1,
        )
        presence.set_facts(tx, host.node_id, {}, details)

    fleet.store.write_now(job)


def due(fleet: Fleet) -> tuple[str, ...]:
    return fleet.store.read_now(lambda tx: autosigning.due(tx, COORDINATOR.public))


def sign(fleet: Fleet, run: api.Run) -> object:
    return fleet.store.write_now(lambda tx: autosigning.sign(tx, run.run_id, COORDINATOR))


def test_it_signs_where_roster_and_every_host_let_it(fleet: Fleet) -> None:
    """The decision is one like any other: of one use, on this action, by its own key."""
    host = fleet.add(10)
    tell(fleet, host, dict(LETS_IT))
    run = fleet.apply_of(fleet.planned(host))
    assert due(fleet) == (run.run_id,)
    after = sign(fleet, run)
    assert isinstance(after, api.Run), after
    assert after.phase == "queued"
    assert after.decision is not None
    decision = decisions.decode(after.decision)
    assert isinstance(decision, Decision)
    assert (decision.uses, decision.action_hash) == (1, run.action_hash)
    assert after.decision.signatures[0].keyid == people.keyid(9)
    assert due(fleet) == ()
    assert sign(fleet, run) is None


def test_one_host_that_does_not_let_it_keeps_the_run_waiting(fleet: Fleet) -> None:
    willing, strict = fleet.add(10), fleet.add(11)
    tell(fleet, willing, dict(LETS_IT))
    run = fleet.apply_of(fleet.planned(willing, strict))
    assert due(fleet) == ()
    assert sign(fleet, run) is None
    assert fleet.run(run.run_id).phase == "waiting_approval"


@pytest.mark.parametrize("rule", [ApprovalRule(2), ApprovalRule(1, requester_excluded=True)])
def test_a_rule_for_people_is_left_to_people(fleet: Fleet, rule: ApprovalRule) -> None:
    team = (people.person(1), people.person(2), people.person(9, "automation"))
    fleet.adopt(operators=team, approvals={"*": rule})
    host = fleet.add(10)
    tell(fleet, host, dict(LETS_IT))
    run = fleet.apply_of(fleet.planned(host))
    assert due(fleet) == ()
    assert sign(fleet, run) is None


@pytest.mark.parametrize("role", ["operator", "viewer", None])
def test_without_its_place_in_the_roster_it_signs_nothing(fleet: Fleet, role: str | None) -> None:
    """Only as an automation: a coordinator that is listed as a person would be one too many."""
    others = () if role is None else (people.person(9, role),)  # type: ignore[arg-type]  # from the list above
    fleet.adopt(operators=(people.person(1), *others))
    host = fleet.add(10)
    tell(fleet, host, dict(LETS_IT))
    run = fleet.apply_of(fleet.planned(host))
    assert due(fleet) == ()
    assert sign(fleet, run) is None


def test_what_people_have_begun_to_sign_is_theirs(fleet: Fleet) -> None:
    """A decision that collects signatures is not overtaken."""
    from coordinator.domain import run_decisions
    from tests.fakes.fleet import OPERATOR

    host = fleet.add(10)
    tell(fleet, host, {**LETS_IT, "policy.quorum.state.apply": 2})
    team = (people.person(1), people.person(2), people.person(9, "automation"))
    fleet.adopt(operators=team)
    run = fleet.apply_of(fleet.planned(host))
    envelope = fleet.decision(run)
    fleet.store.write_now(lambda tx: run_decisions.add_decision(tx, OPERATOR, run.run_id, envelope))
    tell(fleet, host, dict(LETS_IT))
    assert due(fleet) == ()
