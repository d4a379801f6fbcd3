"""An agent for tests: its core on a real state directory, its services run by the test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from agent import identity
from agent.config import AgentConfig
from agent.core import Core
from agent.database import Database
from agent.logs import Log
from agent.services import drift, link, reconcile
from tests.fakes.coordinator import FakeCoordinator

NOW = 1_800_000_000.0


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_core(state_dir: Path, clock: Clock | None = None, **settings: object) -> Core:
    """A core on a state directory, with a policy file beside it that is not there."""
    state_dir.mkdir(mode=0o700, exist_ok=True)
    config = AgentConfig(
        state_dir=str(state_dir),
        **{"policy_file": str(state_dir / "policy.toml"), "log_level": "debug", **settings},
    )
    wall = clock or Clock()
    return Core(
        config,
        identity.load_or_create(state_dir),
        Database(state_dir, reserve=65_536),
        clock=wall,
        log=Log(wall, "debug"),
    )


@asynccontextmanager
async def running(core: Core, coordinator: FakeCoordinator) -> AsyncGenerator[Core]:
    """Run an agent's services against a coordinator until the block ends."""
    if core.trust.pins is None:
        from agent.enrolling import pins_of

        core.trust.enrol(pins_of(coordinator.enrolment_key()))
    core.attach()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run, core, lambda: 0.0)
        nursery.start_soon(reconcile.run, core)
        nursery.start_soon(drift.run, core)
        await coordinator.until(coordinator.is_up)
        await coordinator.until(lambda: bool(coordinator.facts))
        try:
            yield core
        finally:
            core.steps.stopping.set()
            core.steps.killing.set()
            nursery.cancel_scope.cancel()
    core.database.close()
