"""Which directories to watch for which resources, and what an event in one of them concerns.

Pure but for the watches it adds: reading events and looking again is `services.drift`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

import msgspec

from agent import inotify
from agent.inotify import Event
from state_engine.model import ResourceKey

Keys = frozenset[ResourceKey]
_GONE = inotify.SELF | inotify.UNMOUNT | inotify.IGNORED


class Adder(Protocol):
    """What adds watches: an `Inotify`, or a fake."""

    def add(self, path: str, mask: int) -> int | None:
        """Watch a directory; None if there is none; raises WatchLimit."""
        ...


class Concern(msgspec.Struct, frozen=True):
    """What events mean: the resources to look at, and whether watches must be set anew."""

    keys: Keys = frozenset()
    everything: bool = False
    rearm: bool = False


class Watches:
    """The watches on the parents of managed paths, and on their ancestors for being moved."""

    def __init__(self) -> None:
        # By watch number: resources by the name of the entry that concerns them.
        self._names: dict[int, dict[str, set[ResourceKey]]] = {}
        # Entries whose coming or going changes where to watch.
        self._steps: dict[int, set[str]] = {}
        self._below: dict[int, set[ResourceKey]] = {}

    def add(self, adder: Adder, paths: Mapping[str, tuple[ResourceKey, ...]]) -> None:
        """Watch some paths.

        Raises:
            WatchLimit: the kernel has no room; some of the paths are not watched.
        """
        for path, keys in paths.items():
            self._add(adder, os.path.normpath(path), set(keys))

    def _add(self, adder: Adder, path: str, keys: set[ResourceKey]) -> None:
        parent, name = _split(path)
        number = adder.add(parent, inotify.ENTRIES | inotify.SELF)
        missing = False
        while number is None and parent != "/":
            # The nearest directory that exists: what is missing will appear in it.
            missing = True
            parent, name = _split(parent)
            number = adder.add(parent, inotify.ENTRIES | inotify.SELF)
        if number is None:
            return
        self._names.setdefault(number, {}).setdefault(name, set()).update(keys)
        self._below.setdefault(number, set()).update(keys)
        if missing:
            self._steps.setdefault(number, set()).add(name)
        while parent != "/":
            parent = _split(parent)[0]
            above = adder.add(parent, inotify.SELF)
            if above is not None:
                self._below.setdefault(above, set()).update(keys)

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
