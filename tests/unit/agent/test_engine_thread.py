"""One engine job at a time, in a thread or inline."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from agent.engine_thread import EngineThread


@pytest.mark.parametrize("inline", [False, True])
async def test_a_job_answers_or_raises(inline: bool) -> None:
    """Answers and exceptions come back to the task that asked."""
    thread = EngineThread(inline=inline)
    assert await thread.run(lambda: 7) == 7
    with pytest.raises(ValueError, match="job"):
        await thread.run(_fail)
    here = await thread.run(threading.current_thread)
    assert (here is threading.current_thread()) is inline


def _fail() -> None:
    raise ValueError("job")


async def test_jobs_do_not_overlap() -> None:
    """Two looks at a host at once would see each other's half-done work."""
    thread = EngineThread()
    inside: list[int] = []
    most: list[int] = []

    def job() -> None:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.01)
        inside.pop()

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(thread.run, job)
    assert most == [1, 1, 1]
    await thread.settled()


async def test_it_says_for_how_long_a_job_has_run() -> None:
    """A look that hangs cannot be ended, so it must be seen."""
    thread = EngineThread()
    assert thread.busy_for(5.0) <= 0.0
    release = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.run, release.wait)
        await trio.testing.wait_all_tasks_blocked()
        assert thread.busy_for(trio.current_time() + 60.0) >= 60.0
        release.set()
    assert thread.busy_for(trio.current_time() + 60.0) <= 0.0


async def test_settled_waits_for_the_running_job() -> None:
    """Stopping gives the running job its time."""
    thread = EngineThread()
    release = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.run, release.wait)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.01) as scope:
            await thread.settled()
        assert scope.cancelled_caught
        release.set()
    await thread.settled()
