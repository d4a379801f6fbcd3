"""What was accepted and then waited is judged again before it begins."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from protocol.messages import Accepted, RefusedStep
from tests.fakes.agent import NOW
from tests.fakes.operators import SCOPE, next_roster
from tests.hostile.test_agent_offers import ADA, EVE, World, world

pytestmark = pytest.mark.hostile


@dataclass
class Meanwhile:
    """What may happen while an accepted step waits in the queue."""

    world: World

    async def expire(self) -> None:
        self.world.clock.now = NOW + 7_200

    async def draw_a_line(self) -> None:
        first = self.world.coordinator.rosters[0]
        self.world.core.trust.take_roster((next_roster(first, ADA, ADA, epochs={SCOPE: 1}),), NOW)

    async def dismiss_the_signer(self) -> None:
        first = self.world.coordinator.rosters[0]
        self.world.core.trust.take_roster((next_roster(first, ADA, EVE),), NOW)

    async def forbid(self) -> None:
        text = '[capabilities."state.apply"]\nsignature = "deny"\n'
        (self.world.root / "state/policy.toml").write_text(text)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (Meanwhile.expire, "expired"),
        (Meanwhile.draw_a_line, "epoch_old"),
        (Meanwhile.dismiss_the_signer, "signer_unknown"),
        (Meanwhile.forbid, "policy_denied"),
    ],
)
async def test_what_was_accepted_and_waited_is_judged_again_before_it_begins(
    tmp_path: Path, what: Callable[[Meanwhile], Awaitable[None]], reason: str
) -> None:
    """A host that was off for a month, or busy, does not do what nobody would approve now."""
    async with world(tmp_path) as here:
        # The worker is held up by a look that takes its time.
        gate = threading.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.core.thread.run, gate.wait)
            await here.coordinator.send(here.approval.signed(ADA))
            await here.coordinator.until(
                lambda: any(a.run_id == "run-1" for a in here.coordinator.bodies(Accepted))
            )
            await what(Meanwhile(here))
            gate.set()
        await here.coordinator.until(lambda: bool(here.coordinator.bodies(RefusedStep)))
        assert here.coordinator.bodies(RefusedStep)[-1].reason == reason
        assert here.untouched()
