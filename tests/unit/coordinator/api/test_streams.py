"""Streams that go on as things are committed."""

from __future__ import annotations

import httpx
import trio

from coordinator.api import streams
from coordinator.api.streams import Line, Look
from coordinator.hub import Hub
from tests.fakes.api_site import Site


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


async def test_a_stream_ends_with_its_session(api: Site) -> None:
    """An operator who is removed hears nothing more, not even of the removal."""
    answers: list[httpx.Response] = []

    async def listen() -> None:
        answers.append(await api.ask("GET", "/events", name="vik", accept="text/event-stream"))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.testing.wait_all_tasks_blocked()
            vik = api.people["vik"].operator_id
            assert (await api.ask("DELETE", f"/operators/{vik}")).status_code == 204
    assert "agent.registered" in answers[0].text
    assert "operator.removed" not in answers[0].text


async def test_streams_are_bounded(api: Site) -> None:
    """One more than an operator may have is refused; one that ended makes room."""

    async def listen(scope: trio.CancelScope) -> None:
        with scope:
            await api.ask("GET", "/events", accept="text/event-stream")

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            scopes = [trio.CancelScope() for _ in range(streams.MAX_STREAMS_OF_ONE + 1)]
            for scope in scopes[1:]:
                nursery.start_soon(listen, scope)
            await trio.testing.wait_all_tasks_blocked()
            full = await api.ask("GET", "/events", accept="text/event-stream")
            assert (full.status_code, "retry-after" in full.headers) == (429, True)
            assert (await api.ask("GET", "/events")).status_code == 200
            scopes[-1].cancel()
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(listen, scopes[0])
            await trio.testing.wait_all_tasks_blocked()
            full = await api.ask("GET", "/events", accept="text/event-stream")
            assert full.status_code == 429
            for scope in scopes:
                scope.cancel()
