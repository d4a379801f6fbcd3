"""What a stolen coordinator says without measure ends a link, and never the agent that hears it."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.messages import Cancel, Desired, Offer
from tests.hostile.test_agent_offers import ADA, world

pytestmark = pytest.mark.hostile


HUGE = {
    "a fence that no column holds": (Offer("r", "state.plan", "l", 2**63, "op"), "fence"),
    "a lease that no heartbeat holds": (Offer("r", "state.plan", "l" * 900_000, 1, "op"), "lease"),
    "an operation of a megabyte": (Offer("r", "state.drift", "l", 1, "o" * 900_000), "operation"),
    "a guard that is no number of JSON": (
        Offer("r", "state.apply", "l", 1, "op", removal_limit=2**60),
        "removal_limit",
    ),
    "a generation that no column holds": (Desired(2**64 - 1, b""), "generation"),
    "a cancel that no column holds": (Cancel("r", 2**63), "fence"),
}


@pytest.mark.parametrize("name", HUGE)
async def test_words_without_measure_end_the_link_and_never_the_agent(
    tmp_path: Path, name: str
) -> None:
    """A host that falls over a message, or over what it stored of one, is a host switched off."""
    message, field = HUGE[name]
    async with world(tmp_path) as here:
        await here.coordinator.send(message)
        await here.coordinator.until(lambda: bool(here.coordinator.closes))
        assert here.coordinator.closes[-1].code == "bad_frame"
        assert field in here.coordinator.closes[-1].message
        await here.coordinator.until(here.coordinator.is_up)
        here.approval.run_id = "honest"
        assert (await here.finished(here.approval.signed(ADA))).outcome == "succeeded"


@pytest.mark.parametrize("acked", [2**63, 2**64 - 1])
async def test_a_welcome_without_measure_never_ends_the_agent(tmp_path: Path, acked: int) -> None:
    """Nor does what the coordinator says to hold of a journal."""
    async with world(tmp_path) as here:
        here.coordinator.entries[acked] = here.coordinator.entries[1]
        await here.coordinator.drop()
        await here.coordinator.until(lambda: bool(here.coordinator.closes))
        del here.coordinator.entries[acked]
        here.approval.run_id = "honest"
        assert (await here.finished(here.approval.signed(ADA))).outcome == "succeeded"
