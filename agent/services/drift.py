"""Sees drift when it happens: watches managed paths, looks again, journals what became different.

An event only says "look again"; a full look now and then finds what no event told.
"""

from __future__ import annotations

import os
from typing import NoReturn

import msgspec
import trio

from agent import drift_account, inotify
from agent.bells import Bell
from agent.core import Core
from agent.database import StorageError, Tx, get_bytes, put
from agent.drift_account import Account, Pace
from agent.watching import Concern, Watches
from agent.work import drift_record
from protocol import ids
from protocol.messages import Drift
from protocol.reports import DriftRecord, DriftSource
from state_engine.engine.cancel import StoppedError
from state_engine.model import ResourceKey, Snapshot

# An editor writes, renames and sets a mode within this time: one look instead of three.
DEBOUNCE = 0.005
# A file that is written all the time is looked at this often and not more.
BUSY_DEBOUNCE = 0.25
# After events that concern nobody: a log beside a managed file wakes us this rarely.
IDLE_PAUSE = 0.05
# Where the kernel has no room for watches, looks come at least this often instead.
UNWATCHED_INTERVAL = 60.0
_TOLD = "drift_told"


async def run(core: Core) -> NoReturn:
    """Watch and look for ever."""
    service = _Service(core)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(service.read_events)
        nursery.start_soon(service.follow_applies)
        await service.look_for_ever()
    raise AssertionError("unreachable")


class _Service:
    def __init__(self, core: Core) -> None:
        self._core = core
        told = core.database.read(lambda tx: get_bytes(tx, _TOLD))
        names = [] if told is None else msgspec.json.decode(told, type=list[str])
        self._account = Account(frozenset(names))
        self._snapshot = Snapshot()
        self._watch: inotify.Inotify | None = None
        self._watches = Watches()
        self._rewatched = Bell()
        self._wake = Bell()
        # Bounded by the resources of the snapshot: keys come from its watches only.
        self._keys: set[ResourceKey] = set()
        self._everything = self._rearm = True
        self._limited = False
        self._pace = Pace()
        # When to look again although nothing happens: something could not be told. None: no need.
        self._again: float | None = None

    async def look_for_ever(self) -> NoReturn:
        """Look at what was asked for, then wait to be asked."""
        self._snapshot = self._core.steps.snapshot()
        source: DriftSource = "scheduled"
        last = -BUSY_DEBOUNCE
        took = 0.0
        while True:
            known = self._wake.count
            if self._rearm:
                self._rearm = False
                self._arm()
            begun = trio.current_time()
            await self._look(source)
            busy = begun - last < BUSY_DEBOUNCE
            last = trio.current_time()
            took = last - begun
            source = "scheduled"
            with trio.move_on_after(self._interval()):
                await self._wake.heard(known)
                source = "event"
            if source == "scheduled":
                # Anew, too: what was mounted over a watched directory sends no event.
                self._everything = self._rearm = True
            else:
                # However wildly things change, half of the time is left for everything else.
                await trio.sleep(max(BUSY_DEBOUNCE, took) if busy else DEBOUNCE)

    def _interval(self) -> float:
        if not self._snapshot.applied:
            return float("inf")
        interval = self._core.config.drift_interval
        if self._limited:
            interval = min(interval, UNWATCHED_INTERVAL)
        return interval if self._again is None else min(interval, self._again)

    async def _look(self, source: DriftSource) -> None:
        only = None if self._everything else frozenset(self._keys)
        self._everything = False
        self._keys.clear()
        self._again = None
        if only is not None and not only:
            return
        snapshot = self._snapshot
        steps = self._core.steps
        if snapshot.applied:
            try:
                found = await self._core.thread.run(
                    lambda: steps.engine.look(snapshot, only, steps.stopping.is_set)
                )
            except StoppedError:
                # The agent is stopping; the next start looks at everything.
                return
            except Exception as error:  # noqa: BLE001 - a look that always fails must not end us
                self._again = UNWATCHED_INTERVAL
                text = f"looking for drift failed: {type(error).__name__}: {error}"
                self._core.problems.put("drift_failed", text[:200])
                self._core.tell("drift.failed", text)
                return
            self._core.problems.clear("drift_failed")
        else:
            found = ()
        if snapshot is not self._snapshot:
            # An apply finished meanwhile: this look was at what it left behind.
            return
        self._account.take(found, only)
        self._core.drift = "drifted" if self._account.items else "in_sync"
        news, now = self._account.news, trio.current_time()
        if not news:
            return
        wait = self._pace.wait(news, now)
        if wait > 0.0:
            self._again = wait
        elif self._tell(source):
            self._pace.spend(news, now)
        else:
            self._again = UNWATCHED_INTERVAL

    def _tell(self, source: DriftSource) -> bool:
        """Put what differs into the journal; False if there is no room for it."""
        core = self._core
        now = core.clock()
        items = self._account.items
        begun = DriftRecord(
            ids.ulid(now, os.urandom(10)), core.identity.node_id, source, now, "in_sync"
        )
        record = drift_account.bounded(drift_record(begun, self._snapshot, items))
        after = drift_account.seen_after_ms(items, now) if source == "event" else None
        names = self._account.names

        def job(tx: Tx) -> None:
            core.journal.append(tx, Drift(record, after))
            put(tx, _TOLD, msgspec.json.encode(sorted(names)))

        if not core.journal.has_room_for_notes:
            core.problems.put("journal_full", "drift is seen but finds no room in the journal")
            return False
        try:
            core.database.write(job, urgent=True)
        except StorageError as error:
            # Not marked as told, so the next look tries again.
            core.log.failure("drift not recorded", error=str(error))
            return False
        self._account.told = names
        core.log.info("drift", status=record.status, resources=len(items))
        core.journal_bell.ring()
        return True

    def _arm(self) -> None:
        """Set all watches anew; whatever happened meanwhile is covered by a look afterwards."""
        from state_engine.engine.watch import watched_paths

        self._everything = True
        paths = watched_paths(self._snapshot) if self._snapshot.applied else {}
        old, watches = self._watch, Watches()
        self._watch = None
        if paths:
            try:
                self._watch = inotify.Inotify()
                watches.add(self._watch, paths)
                self._limited = False
                self._core.problems.clear("drift_watch")
            except (OSError, inotify.WatchLimit) as error:
                self._limit(error)
        self._watches = watches
        if old is not None:
            old.close()
        self._rewatched.ring()

    def _limit(self, error: Exception) -> None:
        self._limited = True
        text = (
            f"not every managed path can be watched ({error}): looking every"
            f" {self._interval():.0f} s instead; raise fs.inotify.max_user_watches"
        )
        self._core.problems.put("drift_watch", text)
        self._core.tell("drift.unwatched", text)

    async def read_events(self) -> NoReturn:
        """Turn what the kernel tells into what to look at."""
        while True:
            known = self._rewatched.count
            watch = self._watch
            if watch is None:
                await self._rewatched.heard(known)
                continue
            try:
                await watch.wait()
            except trio.ClosedResourceError:
                continue
            concerned = self._take(self._watches.concern(watch.read()))
            # Nothing is lost meanwhile: the kernel keeps what happens, and says so if it cannot.
            await trio.sleep(DEBOUNCE if concerned else IDLE_PAUSE)

    def _take(self, concern: Concern) -> bool:
        """Note what to look at and wake the look; False if the events concern nobody."""
        if concern.everything:
            self._core.tell("drift.overflow", "file events were lost: looking at everything")
        elif not concern.keys and not concern.rearm:
            return False
        self._keys |= concern.keys
        self._everything = self._everything or concern.everything
        self._rearm = self._rearm or concern.rearm or concern.everything
        self._wake.ring()
        return True

    async def follow_applies(self) -> NoReturn:
        """Watch what an apply has left as soon as it is over."""
        applied = self._core.steps.applied
        while True:
            known = applied.count
            await applied.heard(known)
            found = self._core.steps.snapshot()
            if found != self._snapshot:
                self._snapshot = found
                self._rearm = True
            self._everything = True
            self._wake.ring()
