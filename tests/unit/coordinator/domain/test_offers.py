from __future__ import annotations

import pytest

from coordinator.domain import offers, runs
from protocol import api
from protocol.limits import MAX_OFFERS
from protocol.messages import Accepted, Finished
from protocol.runs import LEASE_SECONDS
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


def look(fleet: Fleet, host: FakeHost) -> api.Run:
    return fleet.start(api.RunRequest("state.drift", (host.node_id,)))


def beat(fleet: Fleet, host: FakeHost, *leases: str, here: frozenset[str] | None = None) -> None:
    fleet.store.write_now(lambda tx: offers.heartbeat(tx, host.node_id, leases, offered_here=here))


def test_a_step_is_offered_once_while_its_lease_lives(fleet: Fleet, host: FakeHost) -> None:
    """The second look finds nothing to send, and says when to look again."""
    look(fleet, host)
    fleet.one_offer(host)
    standing = fleet.store.read_now(lambda tx: offers.standing(tx, host.node_id))
    assert not standing.due
    assert standing.again_at == fleet.clock.now + LEASE_SECONDS
    assert fleet.take(host).offers == ()


def test_a_lost_lease_is_offered_again_under_a_new_fence(fleet: Fleet, host: FakeHost) -> None:
    """The lease keeps its name, so that a host that holds it goes on renewing it."""
    look(fleet, host)
    first = fleet.one_offer(host)
    fleet.clock.now += LEASE_SECONDS
    second = fleet.one_offer(host)
    assert (second.lease, second.fence) == (first.lease, first.fence + 1)


def test_a_heartbeat_keeps_the_lease(fleet: Fleet, host: FakeHost) -> None:
    """A host that says that it holds the lease is not offered the step again."""
    look(fleet, host)
    offer = fleet.one_offer(host)
    for _ in range(10):
        fleet.clock.now += 15
        beat(fleet, host, offer.lease)
        assert fleet.take(host).offers == ()


def test_a_heartbeat_for_another_hosts_lease_keeps_nothing(fleet: Fleet, host: FakeHost) -> None:
    """Leases count only from the host that they were given to."""
    thief = fleet.add(11)
    look(fleet, host)
    offer = fleet.one_offer(host)
    fleet.clock.now += LEASE_SECONDS - 1
    beat(fleet, thief, offer.lease)
    fleet.clock.now += 1
    assert fleet.one_offer(host).fence == offer.fence + 1


def test_offers_of_an_earlier_link_are_made_again_at_once(fleet: Fleet, host: FakeHost) -> None:
    """An offer may have been lost with its link; one of this link is not repeated."""
    look(fleet, host)
    first = fleet.one_offer(host)
    (again,) = fleet.take(host, resend=[]).offers
    assert again.fence == first.fence + 1
    assert fleet.take(host, resend=[again.lease]).offers == ()


def test_what_the_host_accepted_is_not_offered_again_by_a_new_link(
    fleet: Fleet, host: FakeHost
) -> None:
    """The host has it in its journal: only its lease counts from there on."""
    run = look(fleet, host)
    offer = fleet.one_offer(host)
    fleet.deliver(host, host.say(Accepted(run.run_id, offer.fence)))
    assert fleet.take(host, resend=[]).offers == ()


def test_a_host_holds_at_most_so_many_offers(fleet: Fleet, host: FakeHost) -> None:
    """The rest waits, oldest first, until one is done."""
    made = [look(fleet, host) for _ in range(MAX_OFFERS + 2)]
    first = fleet.take(host).offers
    assert [offer.run_id for offer in first] == [run.run_id for run in made[:MAX_OFFERS]]
    assert fleet.take(host).offers == ()
    fleet.deliver(host, host.say(Finished(made[0].run_id, 1, "succeeded")))
    (following,) = fleet.take(host).offers
    assert following.run_id == made[MAX_OFFERS].run_id


def test_an_offer_carries_the_modules_as_they_were_when_the_run_began(
    fleet: Fleet, host: FakeHost
) -> None:
    """Name and content hash are frozen with the run."""
    fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=("site",)))
    (module,) = fleet.one_offer(host).modules
    assert module.name == "site"
    assert b"/srv/page" in module.content


def test_a_cancelled_step_whose_offer_was_lost_is_withdrawn(fleet: Fleet, host: FakeHost) -> None:
    """Only once the host has said over a new link that it knows nothing of it."""
    run = look(fleet, host)
    offer = fleet.one_offer(host)
    fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, run.run_id))
    beat(fleet, host, here=frozenset({offer.lease}))
    beat(fleet, host, here=None)
    beat(fleet, host, offer.lease, here=frozenset())
    assert fleet.run(run.run_id).steps[0].phase == "offered"
    beat(fleet, host, here=frozenset())
    assert fleet.run(run.run_id).phase == "cancelled"


def test_an_apply_without_its_plan_is_not_offered(fleet: Fleet, host: FakeHost) -> None:
    """Where the plan's bytes are lost nothing can be offered, and the step says so."""
    from coordinator.domain import run_decisions
    from coordinator.store.artifact_files import MemoryFiles

    apply = fleet.apply_of(fleet.planned(host))
    envelope = fleet.decision(apply)
    fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, apply.run_id, envelope)
    )

    def without_files(tx: offers.Tx) -> offers.Work:
        tx.files = MemoryFiles()
        return offers.take(tx, host.node_id)

    assert fleet.store.write_now(without_files).offers == ()
    step = fleet.run(apply.run_id).steps[0]
    assert step.phase == "expired"
    assert "no longer stored" in step.message
