"""One run of the simulator from its seed to its verdict."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog
import trio
import trio._core._run as trio_run  # noqa: PLC2701 - where its order can be seeded
from trio.testing import MockClock

from tests.simulation import centre, healing
from tests.simulation.chance import Chance
from tests.simulation.trace import Trace
from tests.simulation.workload import Fleet, Workload

# No run takes a tenth of this; a run that does has stopped to move on.
LONGEST = 6 * 3_600.0
SHARED_MEMORY = Path("/dev/shm")


class Verdict(msgspec.Struct, frozen=True):
    """What became of a run: `digest` stands for all that happened in it."""

    seed: int
    digest: str
    events: int
    hosts: int
    acts: int
    seconds: float
    violations: tuple[str, ...]
    tail: tuple[str, ...]


@contextmanager
def template() -> Generator[Path]:
    """Make what all runs of a process begin with: an empty database in a room of its own."""
    base = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="standfast-simulation-", dir=base) as name:
        path = Path(name)
        centre.prepare(path)
        yield path


def simulate(seed: int, prepared: Path, keep: int = 80) -> Verdict:
    """Run the fleet of a seed; the same seed gives the same run, to the last frame."""
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    chance, trace = Chance(seed), Trace(keep)
    # Trio sorts and shuffles what is ready by a stream that can be seeded: what else decides who
    # runs next is nothing that a test may depend on.
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # made for just this
    trio_run._r.seed(seed)
    before = _descriptors()
    with tempfile.TemporaryDirectory(prefix=f"{seed}-", dir=prepared) as room:
        fleet = Fleet(chance, trace, Path(room), prepared)
        clock = MockClock(autojump_threshold=0)
        seconds = trio.run(_whole, fleet, clock=clock)
    after = _descriptors()
    if after > before:
        trace.violations.append(f"I7: {after - before} descriptors were left open")
    return Verdict(
        seed,
        trace.digest(),
        trace.count,
        len(fleet.hosts),
        fleet.oracle.acts,
        seconds,
        tuple(trace.violations),
        trace.tail(),
    )


async def _whole(fleet: Fleet) -> float:
    with trio.move_on_after(LONGEST) as limit:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fleet.centre.live, fleet.desk.begin)
            await fleet.centre.begun.wait()
            workload = Workload(fleet, nursery)
            await workload.run()
            healing.heal(fleet)
            await healing.expose(fleet)
            await healing.settle(fleet)
            if not fleet.trace.violations:
                await healing.converge(fleet)
                await healing.settle(fleet)
            healing.judge(fleet)
            nursery.cancel_scope.cancel()
    if limit.cancelled_caught:
        fleet.trace.violation("I5", f"the run was not over after {LONGEST:.0f} virtual seconds")
    return trio.current_time()


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
