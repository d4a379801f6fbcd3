from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import trio

from coordinator import link
from coordinator.domain import agents
from coordinator.links import Links
from coordinator.store import journals, presence
from protocol import api
from protocol.messages import Ack, Audit, Close, Heartbeat, Journal, Offer, Rejected, Welcome
from protocol.session import CloseLink
from tests.fakes.fleet import OPERATOR
from tests.fakes.link_agent import PATIENCE, LinkAgent, LinkedFleet, linked


@pytest.fixture
async def fleet() -> AsyncGenerator[LinkedFleet]:
    made = LinkedFleet()
    yield made
    await made.store.aclose()


def seen(fleet: LinkedFleet, agent: LinkAgent) -> presence.Presence:
    found = fleet.store.read_now(lambda tx: presence.get(tx, agent.host.node_id))
    assert found is not None
    return found


async def until_cut_off(fleet: LinkedFleet, agent: LinkAgent) -> None:
    """Wait until the host shows up as cut off."""
    with trio.fail_after(PATIENCE):
        while True:
            since = fleet.hub.version()
            if not seen(fleet, agent).connected:
                return
            await fleet.hub.wait(f"node:{agent.host.node_id}", since=since)


async def test_an_approved_host_is_welcomed(fleet: LinkedFleet) -> None:
    """The welcome says what is stored, and the host shows up as connected."""
    host = fleet.add(10)
    fleet.deliver(host, host.say(Audit("note", "x")))
    agent = LinkAgent(host, head=1)
    async with linked(fleet, agent):
        welcome = await agent.shake()
        assert isinstance(welcome, Welcome)
        assert (welcome.approval, welcome.acked, welcome.roster_version) == ("approved", 1, 1)
        assert welcome.name == "host10"
        assert seen(fleet, agent).connected


async def test_a_host_that_hangs_up_is_cut_off(fleet: LinkedFleet) -> None:
    """The end of the link shows, whoever ended it."""
    agent = LinkAgent(fleet.add(10))
    async with linked(fleet, agent):
        await agent.shake()
        await agent.socket.up.aclose()
        await until_cut_off(fleet, agent)
    assert fleet.app.links.count() == 0


async def test_entries_are_acknowledged_once_they_are_stored(fleet: LinkedFleet) -> None:
    """The ack names the last entry, and that entry is in the store by then."""
    agent = LinkAgent(fleet.add(10))
    async with linked(fleet, agent):
        await agent.shake()
        entries = agent.host.say(*(Audit("note", str(n)) for n in range(5)))
        await agent.say(Journal(tuple(entries)))
        assert await agent.expect(Ack) == Ack(5)
        head = fleet.store.read_now(lambda tx: journals.head(tx, agent.host.node_id))
        assert head.seq == 5


async def test_a_forked_journal_ends_the_link_with_its_reason(fleet: LinkedFleet) -> None:
    """What was stored is acknowledged, the rest is refused aloud."""
    host = fleet.add(10)
    fleet.deliver(host, host.say(Audit("note", "one")))
    host.entries.clear()
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        await agent.shake()
        await agent.say(Journal(tuple(host.say(Audit("note", "another")))))
        assert "journal_forked" in (await agent.end())[1]
        assert Ack(1) in agent.got
        assert any(isinstance(m, Close) and m.code == "journal_forked" for m in agent.got)


async def test_work_is_offered_only_after_the_journal(fleet: LinkedFleet) -> None:
    """A host that still has something to say is heard first."""
    host = fleet.add(10)
    fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    entries = host.say(Audit("note", "last words"))
    agent = LinkAgent(host, head=1)
    async with linked(fleet, agent):
        await agent.shake()
        await agent.say(Heartbeat(1.0))
        assert await agent.expect(Ack) == Ack(0)
        await agent.say(Journal(tuple(entries)))
        await agent.expect(Offer)
        assert Offer not in {type(message) for message in agent.got}
        assert Ack(1) in agent.got


async def test_a_newer_link_replaces_the_older(fleet: LinkedFleet) -> None:
    """One live link per host: the older one ends with a reason, the host stays connected."""
    host = fleet.add(10)
    older, newer = LinkAgent(host), LinkAgent(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.serve, fleet.app, older.socket)
        await older.shake()
        nursery.start_soon(link.serve, fleet.app, newer.socket)
        await newer.shake()
        assert "replaced" in (await older.end())[1]
        await newer.say(Heartbeat(1.0))
        await newer.expect(Ack)
        assert seen(fleet, newer).connected
        assert fleet.app.links.count() == 1
        nursery.cancel_scope.cancel()


async def test_the_first_batch_of_a_link_may_begin_where_an_older_store_does_not_end(
    fleet: LinkedFleet,
) -> None:
    """A restored coordinator takes up a host whose journal has gone on since; later gaps do not."""
    agent = LinkAgent(fleet.add(10))
    entries = agent.host.say(*(Audit("note", str(n)) for n in range(9)))
    async with linked(fleet, agent):
        await agent.shake()
        await agent.say(Journal(tuple(entries[4:6])))
        assert await agent.expect(Ack) == Ack(6)
        await agent.say(Journal(tuple(entries[8:])))
        assert "journal_gap" in (await agent.end())[1]


async def test_a_host_that_waits_cannot_fill_the_store(fleet: LinkedFleet) -> None:
    """More than a few notes before the approval end the link with the reason."""
    agent = LinkAgent(fleet.add(10, approve=False))
    entries = agent.host.say(*(Audit("note", "x" * 4_000) for _ in range(100)))
    async with linked(fleet, agent):
        await agent.shake()
        await agent.say(Journal(tuple(entries)))
        assert "journal_unapproved" in (await agent.end())[1]
    assert fleet.store.read_now(lambda tx: journals.held(tx, agent.host.node_id)) == (0, 0)


async def test_a_rejected_host_is_sent_away(fleet: LinkedFleet) -> None:
    """With a reason and a time after which it may ask again."""
    host = fleet.add(10)
    fleet.store.write_now(
        lambda tx: agents.decide(
            tx, OPERATOR, host.node_id, api.StatusChangeRequest("rejected"), None
        )
    )
    agent = LinkAgent(host)
    async with linked(fleet, agent):
        assert isinstance(await agent.shake(), CloseLink)
        (message,) = agent.got
        assert isinstance(message, Rejected)
        assert message.code == "rejected"


async def test_too_many_handshakes_are_refused_before_a_byte_is_read(fleet: LinkedFleet) -> None:
    """The one that is too many is told to come back; the places are given back after."""
    links = Links(max_handshakes=1)
    fleet.app = type(fleet.app)(
        fleet.store, fleet.hub, fleet.app.identity, fleet.app.config, fleet.clock, "", links
    )
    first, second = LinkAgent(fleet.add(10)), LinkAgent(fleet.add(11))
    assert links.admit("192.0.2.9")
    async with linked(fleet, first):
        assert (await first.end())[0] == link.CLOSE_BUSY
    links.give_back("192.0.2.9")
    async with linked(fleet, second):
        assert isinstance(await second.shake(), Welcome)
        assert links.admit("192.0.2.9")


async def test_the_end_of_the_process_ends_the_links(fleet: LinkedFleet) -> None:
    """Agents hear that the coordinator goes away."""
    agent = LinkAgent(fleet.add(10))
    async with linked(fleet, agent):
        await agent.shake()
        fleet.hub.close()
        assert "going_away" in (await agent.end())[1]


async def test_a_silent_host_is_dropped(
    fleet: LinkedFleet, autojump_clock: trio.testing.MockClock
) -> None:
    """Three missed heartbeats are the end of a link."""
    assert autojump_clock is not None
    agent = LinkAgent(fleet.add(10))
    with trio.fail_after(1_000):
        async with linked(fleet, agent):
            await agent.shake()
            with trio.move_on_after(900):
                async for _ in agent.socket.down:
                    pass
            assert "dead" in agent.socket.closed[0][1]


async def test_a_host_that_takes_nothing_is_dropped(
    fleet: LinkedFleet, autojump_clock: trio.testing.MockClock
) -> None:
    """A peer that reads no more cannot hold the link's tasks for ever."""
    assert autojump_clock is not None
    agent = LinkAgent(fleet.add(10))
    async with linked(fleet, agent):
        await agent.shake()
        agent.socket.stuck = True
        for _ in range(100):
            await agent.say(Heartbeat(1.0))
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(link.SEND_SECONDS + 1)
        assert fleet.app.links.count() == 0
        assert not seen(fleet, agent).connected
