"""What the coordinator signs by itself, and what it leaves to people."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import autosigning, runs
from coordinator.domain.actor import Actor
from coordinator.store import presence
from coordinator.store.database import Tx
from protocol import api, decisions
from protocol.decisions import Decision
from protocol.roster import ApprovalRule, Grant, RosterOperator
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


def ask_as(fleet: Fleet, who: RosterOperator, *hosts: FakeHost) -> api.Run:
    """Start an apply over hosts as somebody else than the first admin."""
    planned = fleet.planned(*hosts)
    asker = Actor(who.operator_id, who.username, "operator")
    request = api.RunRequest("state.apply", plan_run_id=planned.run_id)
    made = fleet.store.write_now(lambda tx: runs.create_run(tx, asker, request))
    assert isinstance(made, api.Run), made
    return made


ELSEWHERE = (
    Grant(("command.run",)),
    Grant((), ("other/*",)),
    Grant((), (), "role=web"),
    Grant(("state.apply",), (), "!prod"),
)


@pytest.mark.hostile
@pytest.mark.parametrize("grant", ELSEWHERE)
def test_nobody_has_done_by_the_coordinator_what_is_beyond_their_own_grants(
    fleet: Fleet, grant: Grant
) -> None:
    """A yes of theirs would not count on this host: one on their word must not be signed."""
    narrow = msgspec.structs.replace(people.person(2, "operator"), grants=(grant,))
    fleet.adopt(operators=(people.person(1), narrow, people.person(9, "automation")))
    host = fleet.add(10)
    tell(fleet, host, dict(LETS_IT))
    run = ask_as(fleet, narrow, host)
    assert due(fleet) == ()
    assert sign(fleet, run) is None


@pytest.mark.parametrize("role", ["viewer", None])
@pytest.mark.hostile
def test_whoever_the_roster_does_not_let_ask_is_not_signed_for(
    fleet: Fleet, role: str | None
) -> None:
    """Access to the API is one admin's word; the roster is that of all of them."""
    who = people.person(2, role or "operator")  # type: ignore[arg-type]  # from the list above
    listed = () if role is None else (who,)
    fleet.adopt(operators=(people.person(1), *listed, people.person(9, "automation")))
    host = fleet.add(10)
    tell(fleet, host, dict(LETS_IT))
    run = ask_as(fleet, who, host)
    assert due(fleet) == ()
    assert sign(fleet, run) is None


def test_a_grant_that_covers_every_host_is_enough_to_ask(fleet: Fleet) -> None:
    """By the tags that operators signed; one host beyond it, and people have to decide."""
    narrow = msgspec.structs.replace(
        people.person(2, "operator"), grants=(Grant(("state.apply",), (), "role=web"),)
    )
    fleet.adopt(operators=(people.person(1), narrow, people.person(9, "automation")))
    web, other = fleet.add(10), fleet.add(11)
    for host in (web, other):
        tell(fleet, host, dict(LETS_IT))
    fleet.vouch(web, {"role": "web"})
    both = ask_as(fleet, narrow, web, other)
    assert sign(fleet, both) is None
    alone = ask_as(fleet, narrow, web)
    assert due(fleet) == (alone.run_id,)
    assert isinstance(sign(fleet, alone), api.Run)


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
