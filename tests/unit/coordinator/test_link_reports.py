"""What a host says of itself over its link shows up as it said it, and within bounds."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from coordinator import link_reports
from coordinator.store import presence
from protocol.messages import Ack, Facts, Heartbeat
from tests.fakes.link_agent import LinkAgent, LinkedFleet, linked


@pytest.fixture
async def fleet() -> AsyncGenerator[LinkedFleet]:
    made = LinkedFleet()
    yield made
    await made.store.aclose()


def seen(fleet: LinkedFleet, agent: LinkAgent) -> presence.Presence:
    found = fleet.store.read_now(lambda tx: presence.get(tx, agent.host.node_id))
    assert found is not None
    return found


async def test_facts_and_heartbeats_are_kept(fleet: LinkedFleet) -> None:
    """What a host says of itself shows up as it said it."""
    agent = LinkAgent(fleet.add(10))
    async with linked(fleet, agent):
        await agent.shake()
        await agent.say(Facts({"os": "debian"}, {"cpus": 2}))
        await agent.say(Heartbeat(1.0, drift="drifted", problems=("disk_full: /",)))
        await agent.expect(Ack)
        found = seen(fleet, agent)
        assert found.attributes == {"os": "debian"}
        assert (found.drift, found.problems) == ("drifted", ("disk_full: /",))


async def test_facts_without_end_are_cut(fleet: LinkedFleet) -> None:
    """A list of hosts stays readable whatever one of them says of itself."""
    agent = LinkAgent(fleet.add(10))
    many = {f"a{number:04}": "x" for number in range(2 * link_reports.MAX_ATTRIBUTES)}
    long = {"k" * 65: "x", "huge": "x" * (link_reports.MAX_FACT + 1), "a": "kept"}
    async with linked(fleet, agent):
        await agent.shake()
        await agent.say(Facts(many | long, {"cpus": 2, "huge": "x" * 300}))
        await agent.say(Heartbeat(1.0))
        await agent.expect(Ack)
        found = seen(fleet, agent)
        assert len(found.attributes) == link_reports.MAX_ATTRIBUTES
        assert found.attributes["a"] == "kept"
        assert not {"k" * 65, "huge"} & set(found.attributes)
        assert found.details == {"cpus": 2}
