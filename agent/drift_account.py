"""What differs on this host as far as was seen, and when that is news. Pure, but for `changed_at`.

Looking is the engine's, journalling `services.drift`'s.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import msgspec

from protocol.limits import ARTIFACT_CHUNK
from protocol.reports import Author, DriftRecord, ResourceDiff
from state_engine.model import ResourceKey

Found = tuple[ResourceDiff, ...]
# A change that is older than this was not seen when it happened.
MAX_SEEN_AFTER = 60.0
# Changes of one resource told at once, then one in so many seconds: 17,280 a day, of 1 KiB each.
BURST = 20
EVERY_SECONDS = 5.0


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a resource was touched last (seconds since the epoch), and by whom if that is known."""

    at: float
    author: Author | None = None


def key_of(item: ResourceDiff) -> ResourceKey:
    """Return the resource that an item is about."""
    return ResourceKey(item.module, item.type, item.identity)


def name_of(key: ResourceKey) -> str:
    """Return a resource's name in what is stored; no part of a name holds a zero."""
    return "\0".join(key)


class Account:
    """The differing resources, and the set of them that was told last.

    `known` is what was known of them then, by their names: a restart must not forget who it was.
    """

    def __init__(
        self, told: frozenset[str] = frozenset(), known: Mapping[str, Evidence] | None = None
    ) -> None:
        self._current: dict[ResourceKey, ResourceDiff] = {}
        self._known = dict(known or {})
        self.told = told

    def take(self, found: Found, only: frozenset[ResourceKey] | None) -> None:
        """Take in a look at some resources, or at all of them."""
        kept = {} if only is None else {k: v for k, v in self._current.items() if k not in only}
        self._current = {**kept, **{key_of(item): item for item in found}}

    def explained(
        self, found: Found, seen: Callable[[ResourceKey], Evidence | None], secret: frozenset[str]
    ) -> Found:
        """Return what a look has found with when and by whom, as far as that is known.

        What was seen now comes first, then what was known before, then the file system's word.
        `secret` names the resources whose authors' command lines may hold what must not be shown.
        """
        items: list[ResourceDiff] = []
        for item in found:
            key = key_of(item)
            evidence = seen(key) or self._before(key)
            at = evidence.at if evidence is not None else _file_time(item)
            author = None if evidence is None else evidence.author
            if author is not None and name_of(key) in secret:
                author = msgspec.structs.replace(author, command=None)
            items.append(msgspec.structs.replace(item, changed_at=at, changed_by=author))
        return tuple(items)

    def _before(self, key: ResourceKey) -> Evidence | None:
        item = self._current.get(key)
        if item is not None and item.changed_at is not None:
            return Evidence(item.changed_at, item.changed_by)
        return self._known.get(name_of(key))

    def remembered(self) -> dict[str, Evidence]:
        """Return what to store beside the told names, and keep the same from now on."""
        self._known = {
            name_of(key): Evidence(item.changed_at, item.changed_by)
            for key, item in self._current.items()
            if item.changed_at is not None
        }
        return self._known

    @property
    def items(self) -> Found:
        """What differs, in a stable order."""
        return tuple(self._current[key] for key in sorted(self._current))

    @property
    def names(self) -> frozenset[str]:
        """What differs, each with how: the set whose change is news."""
        return frozenset(f"{name_of(key)}\0{item.action}" for key, item in self._current.items())

    @property
    def news(self) -> frozenset[str]:
        """The names that differ, or differ no longer, other than was told."""
        return self.names ^ self.told


class Pace:
    """How often drift of one resource may be told: a burst, then once in a while.

    A program that flips a managed file for ever must not fill the disk with its story, nor hide
    what happens to another file meanwhile. `now` is a clock that is never set, in seconds.
    """

    def __init__(self) -> None:
        # What is left of each resource's burst, and since when. Full ones are not kept, so this
        # is bounded by the resources that were told of lately.
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, names: frozenset[str], now: float) -> float:
        """Return in how many seconds one of the resources may be told, 0 for now."""
        least = max(self._of(name, now) for name in names)
        return max(0.0, (1.0 - least) * EVERY_SECONDS)

    def spend(self, names: frozenset[str], now: float) -> None:
        """Count one record that told of these resources."""
        for name in names:
            self._left[name] = (max(0.0, self._of(name, now) - 1.0), now)
        self._left = {
            name: kept for name, kept in self._left.items() if self._of(name, now) < BURST
        }

    def _of(self, name: str, now: float) -> float:
        left, at = self._left.get(name, (float(BURST), now))
        return min(float(BURST), left + (now - at) / EVERY_SECONDS)


def bounded(record: DriftRecord, limit: int = ARTIFACT_CHUNK) -> DriftRecord:
    """Return a record that fits a journal entry: without texts, then without its last items."""
    if len(msgspec.msgpack.encode(record)) <= limit:
        return record
    bare = tuple(msgspec.structs.replace(item, changes=()) for item in record.resources)
    record = msgspec.structs.replace(record, pending=(), repaired=())
    total = len(bare)
    text = "differences left out: they are too long for a record; look again with a drift run"
    while True:
        record = msgspec.structs.replace(record, resources=bare, message=text)
        if len(msgspec.msgpack.encode(record)) <= limit or not bare:
            return record
        bare = bare[: len(bare) // 2]
        text = f"{total} resources differ, the first {len(bare)} are listed"


def _file_time(item: ResourceDiff) -> float | None:
    return changed_at(item.identity) if item.identity.startswith("/") else None


def changed_at(path: str) -> float | None:
    """Return when a path last changed by the file system's word, or its parent if it is gone."""
    try:
        return os.lstat(path).st_ctime
    except OSError:
        pass
    try:
        return os.lstat(os.path.split(path)[0]).st_mtime
    except OSError:
        return None


def seen_after_ms(items: Found, now: float) -> int | None:
    """Return how long after the newest change it was seen, in ms; None if that cannot be told."""
    times = [changed_at(item.identity) for item in items if item.identity.startswith("/")]
    known = [at for at in times if at is not None and 0.0 <= now - at <= MAX_SEEN_AFTER]
    return round((now - max(known)) * 1000) if known else None
