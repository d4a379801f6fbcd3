"""Proposed rosters on their way to a quorum."""

from __future__ import annotations

import pytest

from coordinator.domain import operators, roster, roster_proposals
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal
from coordinator.store import events
from protocol import api_approvals, dsse
from protocol.keys import SigningKey
from protocol.reasons import Reason
from protocol.roster import RecoveryKey
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, Fleet

ADMINS = tuple(people.person(number) for number in (1, 2, 3))
SPARE = RecoveryKey("safe", people.key(50).public.hex())


@pytest.fixture
def fleet() -> Fleet:
    """Three admins, of whom two have to sign a change, and a recovery key."""
    made = Fleet()
    made.adopt(operators=ADMINS, threshold=2, recovery=(SPARE,), recovery_threshold=1)
    return made


def propose(fleet: Fleet, envelope: dsse.Envelope) -> api_approvals.Proposal | Refusal:
    return fleet.store.write_now(lambda tx: roster_proposals.propose(tx, OPERATOR, envelope))


def sign(
    fleet: Fleet, digest: str, *signatures: dsse.Signature
) -> api_approvals.Proposal | Refusal:
    return fleet.store.write_now(lambda tx: roster_proposals.sign(tx, OPERATOR, digest, signatures))


def version(fleet: Fleet) -> int:
    held = fleet.store.read_now(roster.current)
    assert held is not None
    return held.roster.version


def test_a_proposal_collects_signatures_and_takes_its_place(fleet: Fleet) -> None:
    """One of two waits; the second makes it the roster, and the API's operators follow it."""
    envelope = fleet.following(1, operators=ADMINS[:2])
    waits = propose(fleet, envelope)
    assert isinstance(waits, api_approvals.Proposal)
    assert (waits.status, waits.signed, waits.threshold) == ("open", ("person1",), 2)
    assert version(fleet) == 2
    second = dsse.add_signature(envelope, people.key(2), people.keyid(2)).signatures[1]
    done = sign(fleet, waits.digest, second)
    assert isinstance(done, api_approvals.Proposal)
    assert done.status == "accepted"
    assert version(fleet) == 3
    live = fleet.store.read_now(operators.listing)
    assert {one.username for one in live} == {"person1", "person2"}


def test_proposed_twice_is_proposed_once(fleet: Fleet) -> None:
    """Two admins who propose the very same bytes have signed together."""
    envelope = fleet.following(1, threshold=1)
    propose(fleet, envelope)
    same = fleet.following(2, threshold=1)
    assert same.payload == envelope.payload
    done = propose(fleet, same)
    assert isinstance(done, api_approvals.Proposal)
    assert done.status == "accepted"


def test_another_version_in_force_voids_what_was_proposed(fleet: Fleet) -> None:
    """A proposal that no longer follows takes no signature."""
    envelope = fleet.following(1, threshold=1)
    waits = propose(fleet, envelope)
    assert isinstance(waits, api_approvals.Proposal)
    fleet.adopt(1, 2, threshold=3)
    second = dsse.add_signature(envelope, people.key(2), people.keyid(2)).signatures[1]
    outcome = sign(fleet, waits.digest, second)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "proposal_closed"
    [shown] = fleet.store.read_now(roster_proposals.listing).proposals
    assert shown.status == "void"


def test_a_proposal_expires(fleet: Fleet) -> None:
    """After a week it takes no signature, and says so."""
    envelope = fleet.following(1, threshold=1)
    waits = propose(fleet, envelope)
    assert isinstance(waits, api_approvals.Proposal)
    fleet.clock.now += roster_proposals.PROPOSAL_SECONDS
    second = dsse.add_signature(envelope, people.key(2), people.keyid(2)).signatures[1]
    assert isinstance(sign(fleet, waits.digest, second), Refusal)
    [shown] = fleet.store.read_now(roster_proposals.listing).proposals
    assert shown.status == "expired"
    assert version(fleet) == 2


@pytest.mark.parametrize("number", [9, 200])
def test_who_is_no_admin_proposes_and_signs_nothing(fleet: Fleet, number: int) -> None:
    outcome = propose(fleet, fleet.following(number, threshold=1))
    assert isinstance(outcome, Refusal)
    assert outcome.code == Reason.ROSTER_INVALID
    envelope = fleet.following(1, threshold=1)
    waits = propose(fleet, envelope)
    assert isinstance(waits, api_approvals.Proposal)
    theirs = dsse.add_signature(envelope, people.key(number), people.keyid(number)).signatures[1]
    outcome = sign(fleet, waits.digest, theirs)
    assert isinstance(outcome, Refusal)
    assert "does not hold" in outcome.message
    assert version(fleet) == 2


def test_what_does_not_follow_is_not_collected(fleet: Fleet) -> None:
    """A version that skips one, or lowers an epoch, is refused before anybody signs it."""
    fleet.adopt(1, 2, epochs={"a/b/c": 4})
    for changes in ({"version": 9}, {"epochs": {"a/b/c": 3}}):
        outcome = propose(fleet, fleet.following(1, **changes))
        assert isinstance(outcome, Refusal)


def test_a_recovery_key_needs_no_admin_and_is_told_loudly(fleet: Fleet) -> None:
    """When the admins are lost, the spare key makes the next roster: a critical event."""
    key: SigningKey = people.key(60)
    envelope = fleet.following(50, operators=(people.person(60),), threshold=1)
    done = propose(fleet, envelope)
    assert isinstance(done, api_approvals.Proposal)
    assert (done.status, version(fleet)) == ("accepted", 3)
    latest = fleet.store.read_now(lambda tx: events.latest(tx, limit=20))
    told = [one for one in latest if one.type == "roster.recovered"]
    assert [one.severity for one in told] == ["critical"]
    assert key.public.hex() in envelope.content().decode()


def test_an_unknown_proposal_is_not_found(fleet: Fleet) -> None:
    for outcome in (
        sign(fleet, "ab" * 32),
        fleet.store.read_now(lambda tx: roster_proposals.get(tx, "ab" * 32)),
    ):
        assert isinstance(outcome, Refusal)
        assert outcome.kind == "not_found"


@pytest.mark.hostile
def test_one_admin_cannot_keep_the_others_from_proposing(fleet: Fleet) -> None:
    """Who is about to be removed fills the list with changes: there is room for the removal."""
    mallory = Actor(people.keyid(3), "person3", "admin")
    for number in range(roster_proposals.MAX_OPEN + 1):
        envelope = fleet.following(3, epochs={"a/b/c": number + 1})
        outcome = fleet.store.write_now(
            lambda tx, e=envelope: roster_proposals.propose(tx, mallory, e)  # type: ignore[misc]  # bound now
        )
        assert isinstance(outcome, Refusal) == (number >= roster_proposals.MAX_OWN)
    removal = propose(fleet, fleet.following(1, operators=ADMINS[:2]))
    assert isinstance(removal, api_approvals.Proposal)
    assert removal.status == "open"
