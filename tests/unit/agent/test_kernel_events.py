"""A descriptor on which the kernel tells of changes, with a pipe in the kernel's place."""

from __future__ import annotations

import os

import pytest
import trio
import trio.testing

from agent.kernel_events import KernelEvents


def pair() -> tuple[KernelEvents, int]:
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    return KernelEvents(read), write


async def test_what_was_said_is_read_once_and_in_portions() -> None:
    """Nothing said is nothing read, without waiting for it."""
    events, write = pair()
    assert events.take(9) == b""
    os.write(write, b"abcd")
    with trio.fail_after(5):
        await events.wait()
    assert [events.take(3), events.take(3), events.take(3)] == [b"abc", b"d", b""]
    events.close()
    os.close(write)


async def test_who_waits_is_told_that_it_was_closed_and_reads_nothing_of_its_successor() -> None:
    """The number of a closed descriptor belongs to whoever opens the next one."""
    events, write = pair()
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await events.wait()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        events.close()
    with pytest.raises(trio.ClosedResourceError):
        await events.wait()
    successor, other = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.write(other, b"not yours")
    assert events.take(9) == b""
    for handle in (write, successor, other):
        os.close(handle)
