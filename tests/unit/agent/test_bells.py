"""A bell is heard by level: also when it rang before anybody listened."""

from __future__ import annotations

import trio

from agent.bells import Bell
from agent.engine_thread import EngineThread


async def test_a_ring_before_listening_is_heard() -> None:
    """No wake-up is lost between looking at the state and waiting."""
    bell = Bell()
    known = bell.count
    bell.ring()
    with trio.fail_after(5):
        assert await bell.heard(known) == known + 1


async def test_a_ring_wakes_every_listener() -> None:
    """Each task that waits is woken, also from the worker thread."""
    bell = Bell()
    bell.attach()
    heard: list[int] = []

    async def listen() -> None:
        heard.append(await bell.heard(0))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            nursery.start_soon(listen)
            await EngineThread().run(bell.ring_from_thread)
    assert heard == [1, 1]


def test_a_ring_without_a_loop_is_harmless() -> None:
    """In a single-threaded run a ring from a thread is a plain ring."""
    bell = Bell()
    bell.ring_from_thread()
    assert bell.count == 1


async def test_a_ring_after_the_end_of_the_loop_is_lost_without_harm() -> None:
    """A job that outlives the agent's loop does not fail for it."""
    bell = Bell()

    async def attach() -> None:
        bell.attach()

    # A second loop in a thread, over before the bell rings.
    await EngineThread().run(lambda: trio.run(attach))
    bell.ring_from_thread()
    assert bell.count == 0
