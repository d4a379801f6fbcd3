"""Who touched what lately: fanotify's events joined with the resources that they concern.

It runs beside the watches of inotify and never decides whether to look: without the right to it
(or on a file system without handles) drift is seen all the same, and nobody is named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NoReturn

import trio

from agent import fanotify
from agent.bells import Bell
from agent.drift_account import Evidence
from agent.engine_thread import EngineThread
from agent.fanotify import Fanotify, Handle, Touch
from agent.processes import Processes
from agent.watching import Watches
from protocol.reports import Author
from state_engine.model import ResourceKey

# Events are read as they come, for whoever made one may be gone in a millisecond: 50 times, then
# as often as they come back at this rate. A log beside a managed file costs that and no more.
BURST = 50
EVERY_SECONDS = 0.05
# Reads until what comes later has to wait: the kernel's whole queue, 16,384 events of 64 bytes.
READS = 16
# A command line that cannot be read in this time is left out, and so are others for a while, and
# until that one was read after all: the thread that waits for it cannot be ended, and a second one
# would be as easily held. All threads of the agent share one bound.
COMMAND_SECONDS = 1.0
SILENT_SECONDS = 60.0


class Witness:
    """What was seen of each resource since it was last as it should be; of the drift service.

    `clock` gives seconds since the epoch. `refusal` says why nobody can be named, if so.
    """

    def __init__(
        self, clock: Callable[[], float], opened: Callable[[], Fanotify] = Fanotify
    ) -> None:
        self._clock = clock
        self._open_group = opened
        self._processes = Processes()
        # Apart from the engine's, which may be busy for minutes.
        self._thread = EngineThread()
        self._silent_until = 0.0
        # A thread that was left still waits for a command line.
        self._left = False
        self._group: Fanotify | None = None
        self._opened = Bell()
        self._numbers: dict[Handle, int] = {}
        self._watches = Watches()
        # Each with the time of a clock that is never set. Bounded by the managed resources: keys
        # come from their watches only.
        self._seen: dict[ResourceKey, tuple[float, Evidence]] = {}
        self.refusal: str | None = None

    def arrange(self, watches: Watches) -> None:
        """Attend to the directories that are watched now, and to no others."""
        places = watches.directories()
        self._watches = watches
        if not places:
            self.close()
            return
        if self._group is None and self.refusal is None:
            self._open()
        if self._group is None:
            return
        found = self._mark(self._group, places)
        if self._numbers.keys() - found.keys():
            # A mark follows its directory wherever it goes: nobody but this takes it away.
            self._group.clear()
            found = self._mark(self._group, places)
        self._numbers = found

    def _mark(self, group: Fanotify, places: dict[str, tuple[int, bool]]) -> dict[Handle, int]:
        found: dict[Handle, int] = {}
        for path, (number, entries) in places.items():
            handle = group.add(path, entries=entries)
            if handle is not None:
                found[handle] = number
        return found

    def _open(self) -> None:
        try:
            self._group = self._open_group()
        except OSError as error:
            self.refusal = str(error)
            return
        self._opened.ring()

    async def attend(self) -> NoReturn:
        """Read who touched what, as it happens."""
        left, at = float(BURST), trio.current_time()
        while True:
            known, group = self._opened.count, self._group
            if group is None:
                await self._opened.heard(known)
                continue
            try:
                await group.wait()
            except trio.ClosedResourceError:
                continue
            now = trio.current_time()
            left, at = min(float(BURST), left + (now - at) / EVERY_SECONDS) - 1.0, now
            await self._complete(self.catch_up())
            if left < 1.0:
                await trio.sleep(EVERY_SECONDS)

    def catch_up(self) -> list[ResourceKey]:
        """Take in what has happened so far; return the resources that were touched."""
        touched: dict[ResourceKey, None] = {}
        now, at, own = trio.current_time(), self._clock(), os.getpid()
        for touch in self._waiting():
            if touch.pid == own or touch.mask & fanotify.OVERFLOW:
                continue
            # Of strangers too: whoever makes a file beside ours may rename it over ours next.
            author = self._processes.meet(touch.pid, now) if touch.pid > 0 else None
            for key in self._concerned(touch):
                self._seen[key] = (now, Evidence(at, author))
                touched[key] = None
        return list(touched)

    def _waiting(self) -> Iterator[Touch]:
        for _ in range(READS):
            touches = [] if self._group is None else self._group.read()
            if not touches:
                return
            yield from touches

    def _concerned(self, touch: Touch) -> frozenset[ResourceKey]:
        number = self._numbers.get(touch.directory)
        return frozenset() if number is None else self._watches.keys_of(number, touch.name)

    async def _complete(self, touched: list[ResourceKey]) -> None:
        """Add the command lines, which can be waited for."""
        for key in touched:
            seen = self._seen.get(key)
            author = None if seen is None else seen[1].author
            if seen is None or author is None or author.command is not None:
                continue
            if trio.current_time() < self._silent_until or self._left:
                return
            found = await self._completed(author)
            if found is None:
                self._silent_until = trio.current_time() + SILENT_SECONDS
                return
            self._processes.remember(found)
            if self._seen.get(key) is seen:
                self._seen[key] = (seen[0], Evidence(seen[1].at, found))

    async def _completed(self, author: Author) -> Author | None:
        def job() -> Author:
            self._left = True
            try:
                return self._processes.complete(author)
            finally:
                self._left = False

        with trio.move_on_after(COMMAND_SECONDS):
            return await self._thread.run(job)
        return None

    def note(self, keys: frozenset[ResourceKey]) -> None:
        """Note that resources were touched now, by whomever: where nobody can be named."""
        now, at = trio.current_time(), self._clock()
        for key in keys:
            known = self._seen.get(key)
            if known is None or known[1].author is None:
                self._seen[key] = (now, Evidence(at))

    def of(self, key: ResourceKey) -> Evidence | None:
        """Return what was seen of a resource."""
        seen = self._seen.get(key)
        return None if seen is None else seen[1]

    def forget(self, keys: frozenset[ResourceKey] | None, before: float) -> None:
        """Drop what was seen of some resources, or of all, before a time of the event loop.

        They were as they should be then; what was seen since belongs to the next look.
        """
        for key in list(self._seen) if keys is None else keys:
            seen = self._seen.get(key)
            if seen is not None and seen[0] < before:
                del self._seen[key]

    def close(self) -> None:
        """Attend to nothing any more."""
        if self._group is not None:
            self._group.close()
        self._group = None
        self._numbers = {}
