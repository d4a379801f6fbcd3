"""Server-sent events: lines with their sequence as id, resumed where the reader was cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

import anyio
import msgspec
from litestar.response import Stream

from coordinator.api import permissions
from coordinator.api.calls import Call, refuse
from coordinator.hub import Hub

# Below the 30 s after which many proxies cut a silent connection.
KEEP_ALIVE_SECONDS = 15.0
# Streams at once: each looks at the store when something happens, 0.3 ms each. A person has a few
# windows open, a fleet's tools some more.
MAX_STREAMS = 256
MAX_STREAMS_OF_ONE = 32
# Sequences fit an integer column; more digits are nobody's.
_MAX_DIGITS = 15


class Line(msgspec.Struct, frozen=True):
    """One event of a stream; `data` is JSON."""

    seq: int
    event: str
    data: bytes


class Look(msgspec.Struct, frozen=True):
    """What a look at the store found after a sequence; `over` ends the stream after these."""

    lines: Sequence[Line]
    over: bool = False


Looker = Callable[[int], Awaitable[Look]]


def resume_point(call: Call, after: int) -> int:
    """Return the sequence to go on after: `Last-Event-ID` of a reader that comes back, or `after`.

    A malformed header counts as absent, as the standard has it.
    """
    text = call.request.headers.get("last-event-id", "")
    if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
        return max(after, int(text))
    return after


def stream(call: Call, topics: tuple[str, ...], after: int, look: Looker) -> Stream:
    """Return the answer that sends lines as they are committed, until `look` says it is over.

    It ends with the session that it was asked for in.

    Raises:
        ProblemError: there are too many streams, of this operator or of all.
    """
    seats: Counter[str] = call.request.app.state.streams
    reader, session = call.actor.operator_id, call.request.headers.get("authorization")
    if seats[reader] >= MAX_STREAMS_OF_ONE or seats.total() >= MAX_STREAMS:
        raise refuse("too_many_requests", "too many streams are open: close one, or read pages")

    async def guarded(seq: int) -> Look:
        # A stream may outlive its session by hours: who was removed must hear nothing more.
        if await permissions.session_of(call.context, session) is None:
            return Look((), over=True)
        return await look(seq)

    return Stream(
        _seated(seats, reader, _text(call.context.hub, topics, after, guarded)),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _seated(  # noqa: ASYNC900 - the framework takes a generator and closes it itself
    seats: Counter[str], reader: str, lines: AsyncGenerator[bytes]
) -> AsyncGenerator[bytes]:
    # Counted from its first line on: one that is never begun is never ended either.
    seats[reader] += 1
    try:
        async for line in lines:
            yield line
    finally:
        seats[reader] -= 1
        if not seats[reader]:
            del seats[reader]


async def _text(  # noqa: ASYNC900 - the framework takes a generator and closes it itself
    hub: Hub, topics: tuple[str, ...], after: int, look: Looker
) -> AsyncGenerator[bytes]:
    yield b"retry: 1000\n\n"
    async for line in _lines(hub, topics, after, look):
        yield _encode(line) if line is not None else b": alive\n\n"


async def _lines(  # noqa: ASYNC900 - as above; it holds nothing that must be given back
    hub: Hub, topics: tuple[str, ...], after: int, look: Looker
) -> AsyncIterator[Line | None]:
    while not hub.closed:
        # The version is taken before the look: what is committed in between wakes the wait.
        since = hub.version()
        found = await look(after)
        for line in found.lines:
            after = line.seq
            yield line
        if found.over:
            return
        if not found.lines:
            with anyio.move_on_after(KEEP_ALIVE_SECONDS) as waiting:
                await hub.wait(*topics, since=since)
            if waiting.cancelled_caught:
                yield None


def _encode(line: Line) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (line.seq, line.event.encode(), line.data)
