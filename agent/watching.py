"""Which directories to watch for which resources, and what an event in one of them concerns.

Pure but for the watches it adds: reading events and looking again is `services.drift`, asking who
did it `witness`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

import msgspec

from agent import inotify
from agent.inotify import Event, WatchLimit
from state_engine.model import ResourceKey

Keys = frozenset[ResourceKey]
_FULL = inotify.ENTRIES | inotify.SELF
_GONE = inotify.SELF | inotify.UNMOUNT | inotify.IGNORED


class Adder(Protocol):
    """What adds watches: an `Inotify`, or a fake."""

    def add(self, path: str, mask: int) -> int | None:
        """Watch a directory; None if there is none; raises WatchLimit."""
        ...

    def is_link(self, path: str) -> bool:
        """Say whether a path is a symbolic link."""
        ...


class Concern(msgspec.Struct, frozen=True):
    """What events mean: the resources to look at, and whether watches must be set anew."""

    keys: Keys = frozenset()
    everything: bool = False
    rearm: bool = False


class Watches:
    """The watches on the parents of managed paths, and on their ancestors for being moved.

    `unwatched` are the resources for which there was no room: they have to be looked at by time.
    """

    def __init__(self) -> None:
        # By watch number: resources by the name of the entry that concerns them.
        self._names: dict[int, dict[str, set[ResourceKey]]] = {}
        # Entries whose coming or going changes where to watch.
        self._steps: dict[int, set[str]] = {}
        self._below: dict[int, set[ResourceKey]] = {}
        # Of this one object: a thousand files in a directory ask the kernel once.
        self._known: dict[tuple[str, int], int] = {}
        self._unwatched: set[ResourceKey] = set()

    def add(self, adder: Adder, paths: Mapping[str, tuple[ResourceKey, ...]]) -> None:
        """Watch some paths, as far as there is room."""
        for path, keys in paths.items():
            try:
                self._add(adder, os.path.normpath(path), set(keys))
            except WatchLimit:
                # Others may still be watched: in a directory that has its watch already.
                self._unwatched.update(keys)

    @property
    def unwatched(self) -> Keys:
        """The resources of which a path is not watched, or not its ancestors."""
        return frozenset(self._unwatched)

    def directories(self) -> dict[str, tuple[int, bool]]:
        """Return the watched directories: their number, and whether names in them count."""
        found = {path: (number, False) for (path, _), number in self._known.items()}
        full = {
            path: (number, True) for (path, mask), number in self._known.items() if mask == _FULL
        }
        return {**found, **full}

    def keys_of(self, number: int, name: str) -> Keys:
        """Return the resources that a name in a watched directory concerns; "" is the directory."""
        if not name:
            return frozenset(self._below.get(number, ()))
        return frozenset(self._names.get(number, {}).get(name, ()))

    def _add(self, adder: Adder, path: str, keys: set[ResourceKey]) -> None:
        parent, name = _split(path)
        below: list[str] = []
        number = self._watch(adder, parent, _FULL)
        while number is None and parent != "/":
            # The nearest directory that exists: what is missing will appear in it.
            below.append(name)
            parent, name = _split(parent)
            number = self._watch(adder, parent, _FULL)
        while below and number is not None:
            # It may have appeared just before that watch was set: look once more, now behind it.
            deeper = self._watch(adder, f"{parent.rstrip('/')}/{name}", _FULL)
            if deeper is None:
                break
            number, parent, name = deeper, f"{parent.rstrip('/')}/{name}", below.pop()
        if number is None:
            return
        self._concerns(number, name, keys, step=bool(below))
        while parent != "/":
            above, name = _split(parent)
            link = adder.is_link(parent)
            found = self._watch(adder, above, _FULL if link else inotify.SELF)
            if found is not None:
                self._below.setdefault(found, set()).update(keys)
                if link:
                    # Turned elsewhere, it moves no directory, and still everything is another.
                    self._concerns(found, name, keys, step=True)
            parent = above

    def _concerns(self, number: int, name: str, keys: set[ResourceKey], *, step: bool) -> None:
        self._names.setdefault(number, {}).setdefault(name, set()).update(keys)
        self._below.setdefault(number, set()).update(keys)
        if step:
            self._steps.setdefault(number, set()).add(name)

    def _watch(self, adder: Adder, path: str, mask: int) -> int | None:
        number = self._known.get((path, mask))
        if number is None:
            number = adder.add(path, mask)
            if number is not None:
                self._known[path, mask] = number
        return number

    def concern(self, events: list[Event]) -> Concern:
        """Return what to do about some events."""
        keys: set[ResourceKey] = set()
        rearm = False
        for event in events:
            if event.mask & inotify.OVERFLOW:
                return Concern(everything=True)
            if not event.name and event.mask & _GONE:
                keys |= self._below.get(event.watch, set())
                rearm = rearm or bool(self._below.get(event.watch))
                continue
            keys |= self._names.get(event.watch, {}).get(event.name, set())
            rearm = rearm or event.name in self._steps.get(event.watch, set())
        return Concern(frozenset(keys), rearm=rearm)


def _split(path: str) -> tuple[str, str]:
    parent, name = os.path.split(path)
    return parent, name
