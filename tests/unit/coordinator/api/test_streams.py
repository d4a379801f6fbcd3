"""Streams that go on as things are committed."""

from __future__ import annotations

import trio

from coordinator.api import streams
from coordinator.api.streams import Line, Look
from coordinator.hub import Hub


async def test_a_line_committed_during_the_wait_is_sent_and_none_is_lost() -> None:
    """What is woken between a look and the wait is seen by the next look."""
    hub, stored = Hub(), [Line(1, "a", b"1")]
    seen: list[int] = []

    async def look(after: int) -> Look:
        found = [line for line in stored if line.seq > after]
        if after == 1 and len(stored) == 1:
            stored.append(Line(2, "b", b"2"))
            hub.wake(["t"])
            return Look([])
        await trio.lowlevel.checkpoint()
        return Look(found, over=len(stored) == 2 and not found)

    with trio.fail_after(5):
        async for line in streams._lines(hub, ("t",), 0, look):
            assert line is not None
            seen.append(line.seq)
    assert seen == [1, 2]


async def test_a_silent_stream_shows_that_it_is_alive(
    autojump_clock: trio.testing.MockClock,
) -> None:
    del autojump_clock
    hub = Hub()

    async def nothing(after: int) -> Look:
        del after
        return Look([])

    lines = streams._lines(hub, ("t",), 0, nothing)
    start = trio.current_time()
    assert await anext(lines) is None
    assert trio.current_time() - start == streams.KEEP_ALIVE_SECONDS
    hub.close()
    assert [line async for line in lines] == []


def test_a_line_is_one_event_with_its_sequence_as_id() -> None:
    assert streams._encode(Line(7, "x", b'{"a":1}')) == b'id: 7\nevent: x\ndata: {"a":1}\n\n'
