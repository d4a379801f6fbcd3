"""Sees drift when it happens: watches managed paths, looks again, has it told and perhaps repaired.

An event only says "look again"; a full look now and then finds what no event told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import trio

from agent import inotify
from agent.bells import Bell
from agent.core import Core
from agent.database import StorageError
from agent.drift_account import Found, key_of
from agent.drift_teller import Teller
from agent.repairer import Repairer
from agent.services import signals
from agent.watching import Concern, Keys, Watches
from agent.witness import Witness
from protocol.reports import DriftSource
from state_engine.engine.cancel import StoppedError
from state_engine.model import ResourceKey, Snapshot

# An editor writes, renames and sets a mode within this time: one look instead of three.
DEBOUNCE = 0.005
# A file that is written all the time is looked at this often and not more, after a few looks at
# once: who changes three files by hand has three answers in a moment.
BUSY_DEBOUNCE = 0.05
BURST_LOOKS = 8.0
# And then a look is followed by four times the time that it took: a fifth of a core at most.
BUSY_SHARE = 4.0
# After events that concern nobody: a log beside a managed file wakes us this rarely.
IDLE_PAUSE = 0.05
# What there is no room to watch is looked at this often instead.
UNWATCHED_INTERVAL = 60.0
# A look that failed is tried again after so many seconds.
RETRY_SECONDS = 60.0
# Every so many full looks all content is read anew: a file's times and size can be forged.
VERIFY_EVERY = 12


async def run(core: Core, opened: Callable[[int], inotify.Inotify] = inotify.Inotify) -> NoReturn:
    """Watch and look for ever; `opened` makes the watch, or an OSError where there can be none."""
    service = _Service(core, opened)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.read_events)
            nursery.start_soon(service.witness.attend)
            nursery.start_soon(service.follow_applies)
            nursery.start_soon(service.follow_signals)
            await service.look_for_ever()
    finally:
        service.close()
    raise AssertionError("unreachable")


class _Service:
    def __init__(
        self, core: Core, opened: Callable[[int], inotify.Inotify] = inotify.Inotify
    ) -> None:
        self._core = core
        self._opened = opened
        self.witness = Witness(core.clock)
        self._teller = Teller(core, self.witness)
        self._repairer = Repairer(core)
        self._snapshot = Snapshot()
        self._watch: inotify.Inotify | None = None
        self._room = inotify.budget()
        self._watches = Watches()
        self._rewatched = Bell()
        self._wake = Bell()
        # Bounded by the resources of the snapshot: keys come from its watches and signals only.
        self._keys: set[ResourceKey] = set()
        self._everything = self._rearm = True
        self._verify = False
        self._full_looks = 0
        self._unwatched: Keys = frozenset()
        # When to look again although nothing happens: something could not be told. None: no need.
        self._again: float | None = None
        core.steps.explain = lambda found: self._teller.explain(self._snapshot, found)

    async def look_for_ever(self) -> NoReturn:
        """Look at what was asked for, then wait to be asked."""
        self._repairer.recover()
        self._snapshot = self._core.steps.snapshot()
        source: DriftSource = "scheduled"
        last = full = trio.current_time()
        left, took = BURST_LOOKS, 0.0
        while True:
            known = self._wake.count
            if self._rearm:
                self._rearm = False
                self._arm()
            begun = trio.current_time()
            await self._look(source)
            left = min(BURST_LOOKS, left + (begun - last) / BUSY_DEBOUNCE) - 1.0
            last = trio.current_time()
            took = last - begun
            source = "scheduled"
            due, sooner = full + self._interval(), last + self._soon()
            with trio.move_on_at(min(due, sooner)):
                await self._wake.heard(known)
                source = "event"
            if source == "event":
                # However wildly things change, most of the time is left for everything else.
                busy = max(BUSY_DEBOUNCE, BUSY_SHARE * took)
                await trio.sleep(DEBOUNCE if left >= 0.0 else busy)
            elif due <= sooner:
                full = trio.current_time()
                self._look_at_all()
            else:
                self._keys |= self._unwatched
                self._everything = self._everything or self._again is not None

    def _look_at_all(self) -> None:
        # Anew, too: what was mounted over a watched directory sends no event.
        self._everything = self._rearm = True
        self._full_looks += 1
        self._verify = self._full_looks % VERIFY_EVERY == 0

    def _interval(self) -> float:
        return self._core.config.drift_interval if self._snapshot.applied else float("inf")

    def _soon(self) -> float:
        """Return in how many seconds to look although neither something happens nor all is due."""
        soon = UNWATCHED_INTERVAL if self._unwatched else float("inf")
        return soon if self._again is None else min(soon, self._again)

    async def _look(self, source: DriftSource) -> None:
        only = None if self._everything else frozenset(self._keys)
        verify, self._verify = self._verify, False
        self._everything = False
        self._keys.clear()
        self._again = None
        if (only is not None and not only) or self._core.steps.applying:
            # What an apply writes is no drift; when it is over everything is looked at.
            return
        snapshot, begun = self._snapshot, trio.current_time()
        found = await self._found(snapshot, only, verify=verify)
        if found is None or snapshot is not self._snapshot:
            # An apply finished meanwhile: this look was at what it left behind.
            return
        account = self._teller.account
        account.take(found, only)
        differing = {key_of(item) for item in account.items}
        looked = {held.resource.key for held in snapshot.applied} if only is None else only
        self.witness.forget(frozenset(looked - differing), begun)
        self._core.drift = "drifted" if account.items else "in_sync"
        self._again = self._teller.tell(source, snapshot)
        if self._again is None and account.items:
            await self._repair(snapshot, account.items)

    async def _found(self, snapshot: Snapshot, only: Keys | None, *, verify: bool) -> Found | None:
        """Return what differs, with when and by whom; None if it could not be seen."""
        if not snapshot.applied:
            return ()
        core = self._core
        steps, teller = core.steps, self._teller
        try:
            found = await core.thread.run(
                lambda: steps.engine.look(snapshot, only, steps.stopping.is_set, verify=verify)
            )
            if found:
                # Whoever was seen at work while we looked is among those who explain it.
                self.witness.catch_up()
                found = await core.thread.run(lambda: teller.explain(snapshot, found))
        except StoppedError:
            # The agent is stopping; the next start looks at everything.
            return None
        except Exception as error:  # noqa: BLE001 - a look that always fails must not end us
            self._again = RETRY_SECONDS
            text = f"looking for drift failed: {type(error).__name__}: {error}"
            core.problems.put("drift_failed", text[:200])
            core.tell("drift.failed", text)
            return None
        core.problems.clear("drift_failed")
        return found

    async def _repair(self, snapshot: Snapshot, items: Found) -> None:
        """Put right what may be; what differs was told before."""
        try:
            keys = self._repairer.choose(snapshot, items)
            if not keys:
                return
            self._teller.repaired(await self._repairer.repair(snapshot, items, keys))
            if self._snapshot is snapshot:
                self._snapshot = self._core.steps.snapshot()
        except StorageError as error:
            self._core.log.failure("repair not recorded", error=str(error))
            return
        except Exception as error:  # noqa: BLE001 - a repair that always fails must not end us
            # No words: an exception may quote what stood in a field.
            self._core.tell("drift.repair_broken", f"a repair broke: {type(error).__name__}")
            return
        # Told as put right only if another look agrees, also at what reacted to it.
        self._look_at(keys)
        self._everything = True

    def _arm(self) -> None:
        """Set all watches anew; whatever happened meanwhile is covered by a look afterwards."""
        from state_engine.engine.watch import watched_paths

        self._everything = True
        paths = watched_paths(self._snapshot) if self._snapshot.applied else {}
        self._watches = Watches()
        unwatched, reason = self._watch_over(paths)
        self._limit(unwatched, reason)
        self._attend(self._watches)
        self._rewatched.ring()

    def _watch_over(self, paths: dict[str, tuple[ResourceKey, ...]]) -> tuple[Keys, str]:
        """Watch some paths and no others; return which resources cannot be watched, and why."""
        if not paths:
            self._close_watch()
            return frozenset(), ""
        if self._watch is None:
            try:
                self._watch = self._opened(self._room)
            except OSError as error:
                return frozenset(key for keys in paths.values() for key in keys), str(error)
        self._watch.begin()
        self._watches.add(self._watch, paths)
        self._watch.finish()
        return self._watches.unwatched, "there is no room for more watches"

    def close(self) -> None:
        """Watch nothing any more."""
        self._close_watch()
        self.witness.close()

    def _close_watch(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._watch = None

    def _limit(self, unwatched: Keys, reason: str) -> None:
        self._unwatched = unwatched
        if not unwatched:
            self._core.problems.clear("drift_watch")
            return
        text = (
            f"{len(unwatched)} resources cannot be watched ({reason}): looking at them every"
            f" {UNWATCHED_INTERVAL:.0f} s instead; raise fs.inotify.max_user_watches"
        )
        self._core.problems.put("drift_watch", text)
        self._core.tell("drift.unwatched", text)

    def _attend(self, watches: Watches) -> None:
        unable = self.witness.refusal
        self.witness.arrange(watches)
        if self.witness.refusal is not None and unable is None:
            text = f"changes are seen, but not who makes them: {self.witness.refusal}"
            self._core.tell("drift.unattributed", text)

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
        self._everything = self._everything or concern.everything
        self._rearm = self._rearm or concern.rearm or concern.everything
        self._look_at(concern.keys)
        return True

    def _look_at(self, keys: Keys) -> None:
        self.witness.note(keys)
        self._keys |= keys
        self._wake.ring()

    async def follow_signals(self) -> NoReturn:
        """Look at what systemd or the kernel say has changed."""
        await signals.follow(self._core, lambda: self._snapshot, self._rewatched, self._look_at)
        raise AssertionError("unreachable")

    async def follow_applies(self) -> NoReturn:
        """Watch what an apply has left as soon as it is over."""
        applied, applies = self._core.steps.applied, self._core.steps.applies
        while True:
            known = applied.count
            await applied.heard(known)
            found = self._core.steps.snapshot()
            if found != self._snapshot:
                if found.operation_id != self._snapshot.operation_id:
                    self._repairer.start_afresh()
                self._snapshot = found
                self._rearm = True
            if applies != self._core.steps.applies:
                # What was written until now was our own doing, or is no difference any more. A
                # plan writes nothing: who did something meanwhile stays known.
                applies = self._core.steps.applies
                self.witness.forget(None, trio.current_time())
            self._everything = True
            self._wake.ring()
