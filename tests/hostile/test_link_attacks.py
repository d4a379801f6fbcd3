"""Attacks on the link: stolen agents, forged reports, strangers, and messages out of order."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import trio

from coordinator.domain import agents, enrolment_keys
from coordinator.domain.enrolment_keys import Issuer
from coordinator.link import serve
from coordinator.store import artifacts, events, journals
from protocol import api, enrolment, messages
from protocol.messages import (
    Ack,
    Audit,
    Close,
    Drift,
    Finished,
    Heartbeat,
    Journal,
    Offer,
    Proof,
    RosterUpdate,
    Welcome,
)
from protocol.reports import DriftRecord
from protocol.runs import LEASE_SECONDS
from protocol.session import CloseLink, Send
from tests.fakes.fleet import OPERATOR, FakeHost, chunks
from tests.fakes.link_agent import LinkAgent, LinkedFleet, linked
from tests.fakes.stores import file_store

pytestmark = pytest.mark.hostile


@pytest.fixture
async def fleet() -> AsyncGenerator[LinkedFleet]:
    made = LinkedFleet()
    yield made
    await made.store.aclose()


async def test_a_stolen_agent_cannot_finish_another_hosts_work(fleet: LinkedFleet) -> None:
    """Its own link is its own voice: the victim's run goes on as it was."""
    victim, thief = fleet.add(10), LinkAgent(fleet.add(11))
    run = fleet.start(api.RunRequest("state.drift", (victim.node_id,)))
    offer = fleet.one_offer(victim)
    async with linked(fleet, thief):
        await thief.shake()
        lie = thief.host.say(
            Finished(run.run_id, offer.fence, "succeeded"),
            Drift(DriftRecord("d", victim.node_id, "event", 1.0, "in_sync")),
        )
        await thief.say(Journal(tuple(lie)))
        assert await thief.expect(Ack) == Ack(2)
        thief.leases = (offer.lease,)
        await thief.say(Heartbeat(1.0, (offer.lease,)))
        await thief.expect(Ack)
    assert fleet.run(run.run_id).steps[0].phase == "offered"
    fleet.clock.now += LEASE_SECONDS
    assert fleet.one_offer(victim).fence == offer.fence + 1
    said = fleet.store.read_now(lambda tx: events.latest(tx, target=thief.host.node_id))
    assert [event.type for event in said][:2] == ["agent.report_rejected"] * 2


async def test_another_hosts_entries_are_not_taken_in(fleet: LinkedFleet) -> None:
    """A journal that was copied from a host does not pass on another one's link."""
    victim, thief = fleet.add(10), LinkAgent(fleet.add(11))
    entries = victim.say(Audit("note", "mine"))
    async with linked(fleet, thief):
        await thief.shake()
        await thief.say(Journal(tuple(entries)))
        assert "journal_signature" in (await thief.end())[1]
    for host in (victim, thief.host):
        assert fleet.store.read_now(lambda tx, h=host: journals.head(tx, h.node_id)).seq == 0


async def test_another_hosts_result_cannot_be_claimed(fleet: LinkedFleet) -> None:
    """Naming the digest of what another host has sent shows nothing of it."""
    victim, thief = fleet.add(10), LinkAgent(fleet.add(11))
    (chunk,) = chunks(b"secret output", "plan")
    fleet.deliver(victim, victim.say(chunk))
    run = fleet.start(api.RunRequest("state.drift", (thief.host.node_id,)))
    async with linked(fleet, thief):
        await thief.shake()
        offer = await thief.expect(Offer)
        claim = Finished(run.run_id, offer.fence, "succeeded", chunk.sha256)
        await thief.say(Journal(tuple(thief.host.say(claim))))
        assert "artifact_missing" in (await thief.end())[1]
    sha256, node_id = chunk.sha256, thief.host.node_id
    assert not fleet.store.read_now(lambda tx: artifacts.sent_by(tx, sha256, node_id))


async def test_a_proof_of_another_key_is_no_proof(fleet: LinkedFleet) -> None:
    """Who knows a host's public key only is not that host, and leaves no trace in its record."""
    victim = fleet.add(10)
    agent = LinkAgent(victim)
    async with linked(fleet, agent):
        for action in agent.session.start(0.0):
            assert isinstance(action, Send)
            await agent.socket.up.send(action.frame)
        await agent.socket.down.receive()
        await agent.socket.up.send(messages.encode(Proof(bytes(64))))
        assert "bad_handshake" in (await agent.end())[1]
    assert fleet.app.links.count() == 0


async def test_a_replayed_handshake_is_no_proof(fleet: LinkedFleet) -> None:
    """The frames of an earlier handshake do not answer a new challenge."""
    first = LinkAgent(fleet.add(10))
    frames: list[bytes] = []
    original = first.socket.up.send

    async def overheard(frame: bytes) -> None:
        frames.append(frame)
        await original(frame)

    async with linked(fleet, first):
        for action in first.session.start(0.0):
            assert isinstance(action, Send)
            await overheard(action.frame)
        challenge = await first.socket.down.receive()
        for action in first.session.receive(challenge, 0.0):
            assert isinstance(action, Send)
            await overheard(action.frame)
        await first.expect(Welcome)
        second = LinkAgent(first.host)
        async with linked(fleet, second):
            for frame in frames:
                await second.socket.up.send(frame)
            assert "bad_handshake" in (await second.end())[1]
        assert fleet.app.links.count() == 1


@pytest.mark.parametrize(
    "frames",
    [
        [Heartbeat(1.0)],
        [Journal(())],
        [Proof(bytes(64))],
        [Close("bye")],
    ],
    ids=lambda frames: type(frames[0]).__name__,
)
async def test_reports_before_the_handshake_end_the_link(
    fleet: LinkedFleet, frames: list[messages.Up]
) -> None:
    """Nothing is taken from whom nobody knows."""
    agent = LinkAgent(FakeHost(10))
    async with linked(fleet, agent):
        for frame in frames:
            await agent.socket.up.send(messages.encode(frame))
        await agent.end()
    assert fleet.app.links.count() == 0


async def test_a_pending_host_gets_no_work(fleet: LinkedFleet) -> None:
    """A roster and a welcome, and no more, whatever it reports."""
    agent = LinkAgent(fleet.add(10, approve=False))
    async with linked(fleet, agent):
        welcome = await agent.shake()
        assert isinstance(welcome, Welcome)
        assert welcome.approval == "pending"
        await agent.say(Journal(tuple(agent.host.say(Audit("note", "x")))))
        await agent.expect(Ack)
        fleet.hub.wake([f"node:{agent.host.node_id}"])
        await agent.say(Heartbeat(1.0))
        await agent.expect(Ack)
        assert {type(message) for message in agent.got} <= {RosterUpdate}


async def test_a_crowd_of_strangers_does_not_lock_the_fleet_out(fleet: LinkedFleet) -> None:
    """Connections that say nothing from one address leave room for all others."""
    crowd = [LinkAgent(FakeHost(10)) for _ in range(80)]
    host = LinkAgent(fleet.add(11))
    host.socket.peer = "192.0.2.2"
    async with trio.open_nursery() as nursery:
        for stranger in crowd:
            nursery.start_soon(serve, fleet.app, stranger.socket)
        await trio.testing.wait_all_tasks_blocked()
        assert sum(bool(stranger.socket.closed) for stranger in crowd) > 0
        nursery.start_soon(serve, fleet.app, host.socket)
        assert isinstance(await host.shake(), Welcome)
        nursery.cancel_scope.cancel()


async def test_a_key_for_one_host_lets_one_of_twenty_in(tmp_path: Path) -> None:
    """They come at the same moment, over a real store with its writer thread."""
    issuer = Issuer(("https://192.0.2.9:4748",), bytes(32), "")
    async with file_store(tmp_path) as store:
        fleet = LinkedFleet(store)
        made = await store.write(
            lambda tx: enrolment_keys.create(
                tx, OPERATOR, "default", api.CreateEnrolmentKeyRequest(), issuer
            )
        )
        assert isinstance(made, api.EnrolmentKeyInfo)
        secret = enrolment.decode(made.key or "").secret_bytes()
        hosts = [LinkAgent(FakeHost(number), secret=secret) for number in range(20, 40)]
        answers: list[Welcome | CloseLink] = []

        async def knock(agent: LinkAgent) -> None:
            answers.append(await agent.shake())

        async with linked(fleet, *hosts), trio.open_nursery() as nursery:
            for agent in hosts:
                nursery.start_soon(knock, agent)
        assert sum(isinstance(answer, Welcome) for answer in answers) == 1
        assert sum(isinstance(answer, CloseLink) for answer in answers) == 19
        registered = await store.read(agents.listing)
        assert isinstance(registered, tuple)
        assert len(registered) == 1


async def test_an_end_in_the_middle_of_a_result_leaves_nothing_half_done(
    fleet: LinkedFleet,
) -> None:
    """A link cut between two batches: the next one goes on from the ack, and the run ends once."""
    host = fleet.add(10)
    run = fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=("site",)))
    first = LinkAgent(host)
    async with linked(fleet, first):
        await first.shake()
        offer = await first.expect(Offer)
        plan = host.plan("/srv/a")
        entries = host.result(offer, plan, digest=plan.digest)
        await first.say(Journal(tuple(entries[:2])))
        await first.expect(Ack)
        await first.socket.up.aclose()
    second = LinkAgent(host, head=len(entries))
    async with linked(fleet, second):
        welcome = await second.shake()
        assert isinstance(welcome, Welcome)
        assert welcome.acked == 2
        await second.say(Journal(tuple(entries)))
        await second.expect(Ack)
        await second.say(Journal(tuple(entries)))
        await second.expect(Ack)
    assert fleet.run(run.run_id).phase == "completed"
