"""Server-sent events: lines with their sequence as id, resumed where the reader was cut off."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

import anyio
import msgspec
from litestar.response import Stream

from coordinator.api.calls import Call
from coordinator.hub import Hub

# Below the 30 s after which many proxies cut a silent connection.
KEEP_ALIVE_SECONDS = 15.0
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


def stream(hub: Hub, topics: tuple[str, ...], after: int, look: Looker) -> Stream:
    """Return the answer that sends lines as they are committed, until `look` says it is over."""
    return Stream(
        _text(hub, topics, after, look),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


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
