from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from coordinator import audit_keeper, link_dispatch
from coordinator.domain import agents, node_statements, run_decisions, runs
from coordinator.store import audit as stored_audit
from coordinator.store import records, revocations, rosters
from coordinator.store.revocations import StoredRevocation
from protocol import api, desired, dsse
from protocol.messages import (
    Ack,
    Cancel,
    Desired,
    Heartbeat,
    Journal,
    Offer,
    Rejected,
    RevocationUpdate,
    RosterUpdate,
    StatementUpdate,
    Welcome,
)
from tests.fakes import people
from tests.fakes.fleet import OPERATOR
from tests.fakes.link_agent import LinkAgent, LinkedFleet, linked


@pytest.fixture
async def fleet() -> AsyncGenerator[LinkedFleet]:
    made = LinkedFleet()
    yield made
    await made.store.aclose()


async def test_a_host_gets_roster_and_desired_state_first(fleet: LinkedFleet) -> None:
    """Whom to trust comes before what it is called, and that before any work."""
    host = fleet.add(10)
    fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        await agent.shake()
        await agent.expect(Offer)
        assert [type(message) for message in agent.got] == [RosterUpdate, Desired]
        (_, told) = agent.got
        assert isinstance(told, Desired)
        assert desired.decode(told.document).name == "host10"


async def test_a_pending_host_is_told_when_it_is_approved(fleet: LinkedFleet) -> None:
    """The same link goes on: a new welcome, then what an approved host gets."""
    host = fleet.add(10, approve=False)
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        first = await agent.shake()
        assert isinstance(first, Welcome)
        assert first.approval == "pending"
        request = api.StatusChangeRequest("approved", "web1")
        await fleet.store.write(lambda tx: agents.decide(tx, OPERATOR, host.node_id, request, None))
        welcome = await agent.expect(Welcome)
        assert (welcome.approval, welcome.name) == ("approved", "web1")
        await agent.expect(Desired)


async def test_a_host_that_is_rejected_is_sent_away_at_once(fleet: LinkedFleet) -> None:
    """It does not keep its link until it reconnects."""
    host = fleet.add(10)
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        await agent.shake()
        request = api.StatusChangeRequest("rejected")
        await fleet.store.write(lambda tx: agents.decide(tx, OPERATOR, host.node_id, request, None))
        assert (await agent.expect(Rejected)).code == "rejected"
        await agent.end()


async def test_new_tags_reach_the_host_under_a_higher_generation(fleet: LinkedFleet) -> None:
    """The desired document follows the record."""
    host = fleet.add(10)
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        await agent.shake()
        first = await agent.expect(Desired)

        def tag(tx: records.Tx) -> None:
            records.update(tx, host.node_id, labels={"env": "prod"})
            tx.wake(f"node:{host.node_id}")

        await fleet.store.write(tag)
        second = await agent.expect(Desired)
        assert second.generation > first.generation
        assert desired.decode(second.document).tags == {"env": "prod"}


async def test_a_new_roster_reaches_every_linked_host(fleet: LinkedFleet) -> None:
    """Also a pending one: whom to trust does not wait for approval."""
    agent = LinkAgent(fleet.add(10, approve=False))
    async with linked(fleet, agent):
        await agent.shake()
        await agent.expect(RosterUpdate)
        envelope = people.sign_roster(people.first_roster(people.person(2)), 2)
        await fleet.store.write(
            lambda tx: rosters.append(tx, rosters.StoredRoster(2, "d" * 64, envelope))
        )
        assert (await agent.expect(RosterUpdate)).chain == (envelope,)


async def test_an_approval_puts_the_work_on_the_link(fleet: LinkedFleet) -> None:
    """From the plan's result to the signed offer, without the host asking for anything."""
    host = fleet.add(10)
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        await agent.shake()
        request = api.RunRequest("state.apply", (host.node_id,), modules=("site",))
        apply = await fleet.store.write(lambda tx: runs.create_run(tx, OPERATOR, request))
        assert isinstance(apply, api.Run)
        offer = await agent.expect(Offer)
        assert offer.step == "state.plan"
        plan = host.plan("/srv/a")
        entries = host.result(offer, plan, digest=plan.digest)
        await agent.say(Journal(tuple(entries)))
        await agent.expect(Ack)
        waiting = fleet.run(apply.run_id)
        envelope = fleet.decision(waiting)
        await fleet.store.write(
            lambda tx: run_decisions.add_decision(tx, OPERATOR, apply.run_id, envelope)
        )
        signed = await agent.expect(Offer)
        assert (signed.step, signed.decision) == ("state.apply", envelope)


async def test_a_cancel_is_sent_once(fleet: LinkedFleet) -> None:
    """The host is told to stop, under the fence it knows, and the step waits for its answer."""
    host = fleet.add(10)
    run = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        await agent.shake()
        offer = await agent.expect(Offer)
        await fleet.store.write(lambda tx: runs.cancel(tx, OPERATOR, run.run_id))
        assert await agent.expect(Cancel) == Cancel(run.run_id, offer.fence)
        agent.got.clear()
        fleet.hub.wake([f"node:{host.node_id}"])
        await agent.say(Heartbeat(1.0))
        await agent.expect(Ack)
        assert agent.got == []
        # The offer went over this very link, so the host may be at work: it has the last word.
        assert fleet.run(run.run_id).steps[0].phase == "offered"


def test_a_long_roster_chain_is_sent_in_parts() -> None:
    """Each part fits a frame, and nothing is lost or turned round."""
    envelopes = tuple(
        dsse.Envelope("t", str(number) * (link_dispatch.ROSTER_BYTES // 3)) for number in range(8)
    )
    parts = link_dispatch.split(envelopes)
    assert tuple(one for part in parts for one in part) == envelopes
    assert len(parts) == 4
    assert link_dispatch.split(()) == []


async def test_a_host_is_told_what_was_signed_about_it_and_taken_back(fleet: LinkedFleet) -> None:
    """The statement comes at once and again when it changes; a revocation once a link."""
    host = fleet.add(10)
    fleet.vouch(host, {"role": "web"})
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        await agent.shake()
        told = await agent.expect(StatementUpdate)
        assert told.envelope == fleet.statement(host, {"role": "web"})
        envelope = people.sign(dsse.REVOCATION, b"payload", 1)
        until = fleet.clock.now + 60.0
        taken_back = StoredRevocation(people.ULID, envelope, "ada", 1.0, until)
        await fleet.store.write(lambda tx: revocations.add(tx, taken_back))
        assert (await agent.expect(RevocationUpdate)).envelopes == (envelope,)
        for version in (2, 3):
            newer = fleet.statement(host, {"role": "db"}, version=version)
            await fleet.store.write(
                lambda tx, newer=newer: node_statements.put(tx, OPERATOR, host.node_id, newer)  # type: ignore[misc]  # bound now
            )
            assert (await agent.expect(StatementUpdate)).envelope == newer
        # What was expected is not in the list of all else that came.
        assert RevocationUpdate not in {type(one) for one in agent.got}
    again = LinkAgent(host)
    async with linked(fleet, again):
        await again.shake()
        assert (await again.expect(StatementUpdate)).envelope == newer
        assert (await again.expect(RevocationUpdate)).envelopes == (envelope,)


async def test_an_approved_host_is_handed_each_new_head_of_the_log_once(fleet: LinkedFleet) -> None:
    """So that a log which is rewritten later contradicts what hosts hold; strangers get none."""
    host, stranger = fleet.add(10), fleet.add(11, approve=False)
    agent, other = LinkAgent(host), LinkAgent(stranger)
    await audit_keeper.sign(fleet.app)
    async with linked(fleet, agent, other):
        await agent.shake()
        await other.shake()
        first = await agent.expect(Ack)
        assert first.head == await fleet.store.read(stored_audit.head)
        fleet.start(api.RunRequest("state.drift", (host.node_id,)))
        await audit_keeper.sign(fleet.app)
        fleet.hub.wake([f"node:{host.node_id}", f"node:{stranger.node_id}"])
        second = await agent.expect(Ack)
        assert second.head != first.head
        assert second.head == await fleet.store.read(stored_audit.head)
    assert not any(isinstance(one, Ack) and one.head for one in other.got)
