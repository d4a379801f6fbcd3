"""Watching a run until it stands still, and waiting for what is not there yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from client.failures import ClientError
from protocol.api import Run

# Phases in which nothing more happens by itself.
STILL = frozenset({"waiting_approval", "completed", "failed", "cancelled", "denied", "expired"})
# Phases of a step that has not ended.
OPEN = frozenset({"pending", "offered", "accepted", "running"})
# The first look comes at once, a plan of one host takes 50 ms; then doubled up to one second.
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0

T = TypeVar("T")


def until(
    attempt: Callable[[], T],
    failing: type[ClientError],
    *,
    now: Callable[[], float],
    pause: Callable[[float], None],
    patience: float,
) -> T:
    """Return the first answer of `attempt`, which may fail in one way for `patience` seconds.

    Raises:
        ClientError: it failed in another way, or still fails after that time.
    """
    end = now() + patience
    wait = FIRST_PAUSE
    while True:
        try:
            return attempt()
        except failing:
            if now() >= end:
                raise
        pause(min(wait, LONGEST_PAUSE))
        wait *= 2


def follow(
    fetch: Callable[[], Run],
    *,
    now: Callable[[], float],
    pause: Callable[[float], None],
    patience: float,
    changed: Callable[[Run], None],
    enough: Callable[[Run], bool] = lambda _run: False,
) -> Run:
    """Return the run once it stands still, or is `enough`; `changed` hears of each difference.

    `patience` is in seconds. Only our waiting ends there: the run itself goes on.

    Raises:
        ClientError: it still moves after that time.
    """
    end = now() + patience
    wait = FIRST_PAUSE
    seen: Run | None = None
    while True:
        run = fetch()
        if run != seen:
            changed(run)
            seen = run
        if run.phase in STILL or enough(run):
            return run
        if now() >= end:
            waiting = [step.name or step.node_id for step in run.steps if step.phase in OPEN]
            raise ClientError(
                f"run {run.run_id} is still {run.phase} after {patience:.0f} s; it goes on",
                where=f"not yet answered: {', '.join(waiting[:10])}",
                next_command=f"standfast runs show {run.run_id}",
                code="still_running",
            )
        pause(min(wait, LONGEST_PAUSE))
        wait *= 2
