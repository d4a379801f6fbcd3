"""Artifacts over a link, from the coordinator's end."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from protocol.artifacts import ArtifactAsk, ArtifactPart
from tests.fakes.link_agent import LinkAgent, LinkedFleet, linked
from tests.unit.coordinator.domain.test_artifact_asks import DATA, DIGEST, bring, module, offer


@pytest.fixture
async def fleet() -> AsyncGenerator[LinkedFleet]:
    made = LinkedFleet()
    yield made
    await made.store.aclose()


async def test_a_host_gets_an_artifact_part_by_part(fleet: LinkedFleet) -> None:
    """What it asks for, from where it asks; a refusal of another leaves the link as it is."""
    agent = LinkAgent(fleet.add(10))
    fleet.store.write_now(bring)
    module(fleet)
    offer(fleet, agent.host)
    got = b""
    async with linked(fleet, agent):
        await agent.shake()
        while len(got) < len(DATA):
            await agent.say(ArtifactAsk(DIGEST, len(got)))
            part = await agent.expect(ArtifactPart)
            assert not part.refused
            got += part.data
        await agent.say(ArtifactAsk("cd" * 32))
        assert "nobody has uploaded it" in (await agent.expect(ArtifactPart)).refused
        await agent.say(ArtifactAsk(DIGEST, 5))
        assert (await agent.expect(ArtifactPart)).data[:4] == DATA[5:9]
    assert got == DATA


async def test_a_host_that_is_not_approved_gets_nothing(fleet: LinkedFleet) -> None:
    """Whatever it names."""
    agent = LinkAgent(fleet.add(10, approve=False))
    fleet.store.write_now(bring)
    async with linked(fleet, agent):
        await agent.shake()
        await agent.say(ArtifactAsk(DIGEST))
        assert "not approved" in (await agent.expect(ArtifactPart)).refused
