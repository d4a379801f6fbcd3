"""Wake-ups inside the process: who waits on a topic hears that something about it was committed.

Level-triggered: a waiter names the version that it has seen, so a wake-up between its look and its
wait is not lost. No data travels here; who wakes looks again. Lives in one event loop.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import anyio

# Topics whose last version is remembered: 20,000 nodes and runs of 150 bytes are 3 MB. An older
# topic counts as woken at the forgotten version, so its next waiter looks once more than needed.
MAX_TOPICS = 20_000


class Hub:
    """Versions of topics, and those who wait for them to rise."""

    def __init__(self, max_topics: int = MAX_TOPICS) -> None:
        self._version = 0
        self._forgotten = 0
        self._max_topics = max_topics
        self._topics: OrderedDict[str, int] = OrderedDict()
        self._waiters: dict[str, set[anyio.Event]] = {}
        self._closed = False

    def version(self) -> int:
        """Return the version to wait from: take it before the look, then `wait` with it."""
        return self._version

    def wake(self, topics: Iterable[str]) -> None:
        """Raise the version of each topic and wake who waits on it."""
        self._version += 1
        for topic in topics:
            self._topics[topic] = self._version
            self._topics.move_to_end(topic)
            for event in self._waiters.get(topic, ()):
                event.set()
        while len(self._topics) > self._max_topics:
            _, self._forgotten = self._topics.popitem(last=False)

    def close(self) -> None:
        """Let every wait return at once, now and later: the process is about to end."""
        self._closed = True
        for waiters in self._waiters.values():
            for event in waiters:
                event.set()

    @property
    def closed(self) -> bool:
        """Say whether `close` was called."""
        return self._closed

    async def wait(self, *topics: str, since: int) -> None:
        """Return once one of the topics was woken after version `since`, or the hub is closed.

        It may return once too often; the caller bounds the wait with a deadline of its own.
        """
        event = anyio.Event()
        if self._closed or any(self._woken(topic, since) for topic in topics):
            event.set()
        for topic in topics:
            self._waiters.setdefault(topic, set()).add(event)
        try:
            await event.wait()
        finally:
            for topic in topics:
                self._leave(topic, event)

    def _woken(self, topic: str, since: int) -> bool:
        return self._topics.get(topic, self._forgotten) > since

    def _leave(self, topic: str, event: anyio.Event) -> None:
        waiters = self._waiters[topic]
        waiters.discard(event)
        if not waiters:
            del self._waiters[topic]
