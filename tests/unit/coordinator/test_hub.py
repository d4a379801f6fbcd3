from __future__ import annotations

import pytest
import trio

from coordinator.hub import Hub


async def test_a_wake_up_between_look_and_wait_is_not_lost() -> None:
    """Who names the version it has seen returns at once if the topic rose after it."""
    hub = Hub()
    since = hub.version()
    hub.wake(["a"])
    with trio.fail_after(1):
        await hub.wait("b", "a", since=since)


async def test_a_wait_ends_when_one_of_its_topics_is_woken() -> None:
    """Other topics wake nobody."""
    hub = Hub()
    done: list[str] = []

    async def waiter(*topics: str) -> None:
        await hub.wait(*topics, since=hub.version())
        done.append(topics[0])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiter, "a", "x")
        nursery.start_soon(waiter, "b")
        await trio.testing.wait_all_tasks_blocked()
        hub.wake(["x"])
        await trio.testing.wait_all_tasks_blocked()
        assert done == ["a"]
        hub.wake(["b"])


async def test_an_old_wake_up_is_not_one() -> None:
    """What was seen already does not end a wait."""
    hub = Hub()
    hub.wake(["a"])
    with trio.move_on_after(0) as scope:
        await hub.wait("a", since=hub.version())
    assert scope.cancelled_caught


async def test_a_forgotten_topic_wakes_once_too_often_and_never_too_seldom() -> None:
    """Memory is bounded; what fell out of it counts as woken."""
    hub = Hub(max_topics=2)
    since = hub.version()
    for topic in "abc":
        hub.wake([topic])
    with trio.fail_after(1):
        await hub.wait("a", since=since)
        await hub.wait("never", since=since)
    with trio.move_on_after(0) as scope:
        await hub.wait("a", since=hub.version())
    assert scope.cancelled_caught


@pytest.mark.parametrize("before", [True, False])
async def test_a_closed_hub_lets_everybody_go(before: bool) -> None:
    """Waits end at once, whether they began before or after."""
    hub = Hub()
    async with trio.open_nursery() as nursery:
        if not before:
            hub.close()
        nursery.start_soon(lambda: hub.wait("a", since=0))
        await trio.testing.wait_all_tasks_blocked()
        hub.close()
    assert hub.closed
