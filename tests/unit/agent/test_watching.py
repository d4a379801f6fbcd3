"""Which directories are watched, and what an event in one of them concerns."""

from __future__ import annotations

import pytest

from agent import inotify
from agent.inotify import Event, WatchLimit
from agent.watching import Concern, Watches
from state_engine.model import ResourceKey

A = ResourceKey("m", "file-unix", "/etc/app/a")
B = ResourceKey("m", "file-unix", "/etc/app/sub/b")


class Directories:
    """A fake of what adds watches: some directories exist, the rest does not."""

    def __init__(self, *existing: str, room: int = 100) -> None:
        self.masks: dict[str, int] = {}
        self.links: set[str] = set()
        # A directory that appears once another was watched: the race with whoever makes it.
        self.appearing: dict[str, str] = {}
        self._existing = ["/", *existing]
        self._room = room

    def add(self, path: str, mask: int) -> int | None:
        if path not in self._existing:
            return None
        if path not in self.masks and len(self.masks) >= self._room:
            raise WatchLimit(path)
        self.masks[path] = self.masks.get(path, 0) | mask
        if path in self.appearing:
            self._existing.append(self.appearing.pop(path))
        return self._existing.index(path)

    def is_link(self, path: str) -> bool:
        return path in self.links

    def number(self, path: str) -> int:
        return self._existing.index(path)


def test_a_name_concerns_its_resource_alone() -> None:
    """Only what changed is looked at again; a stranger in the directory wakes nobody."""
    here = Directories("/etc", "/etc/app", "/etc/app/sub")
    watches = Watches()
    watches.add(here, {"/etc/app/a": (A,), "/etc/app/sub/b": (B,)})
    app = here.number("/etc/app")
    assert watches.concern([Event(app, inotify.MODIFY, "a")]) == Concern(frozenset({A}))
    assert watches.concern([Event(app, inotify.MODIFY, "other")]) == Concern()
    # Ancestors are watched for being moved only: a busy /etc costs nothing.
    assert here.masks["/etc"] == inotify.SELF


def test_a_missing_parent_is_awaited_in_the_nearest_directory() -> None:
    """When it appears the watches are set anew, and what lies below it is looked at."""
    here = Directories("/etc")
    watches = Watches()
    watches.add(here, {"/etc/app/sub/b": (B,)})
    event = Event(here.number("/etc"), inotify.CREATE, "app")
    assert watches.concern([event]) == Concern(frozenset({B}), rearm=True)


def test_a_directory_that_appears_while_watches_are_set_is_watched_too() -> None:
    """Its making was no event for a watch that did not exist yet: look again behind the watch."""
    here = Directories("/etc")
    here.appearing = {"/etc": "/etc/app", "/etc/app": "/etc/app/sub"}
    watches = Watches()
    watches.add(here, {"/etc/app/sub/b": (B,)})
    event = Event(here.number("/etc/app/sub"), inotify.CLOSE_WRITE, "b")
    assert watches.concern([event]) == Concern(frozenset({B}))


def test_a_link_on_the_way_is_watched_for_being_turned_elsewhere() -> None:
    """Nothing moves when a link is replaced, and still another directory is meant."""
    here = Directories("/etc", "/etc/app")
    here.links = {"/etc/app"}
    watches = Watches()
    watches.add(here, {"/etc/app/a": (A,)})
    event = Event(here.number("/etc"), inotify.MOVED_TO, "app")
    assert watches.concern([event]) == Concern(frozenset({A}), rearm=True)


@pytest.mark.parametrize("mask", [inotify.MOVE_SELF, inotify.DELETE_SELF, inotify.UNMOUNT])
def test_a_moved_ancestor_concerns_all_below(mask: int) -> None:
    """Watches follow inodes, so a moved directory is watched no more under its name."""
    here = Directories("/etc", "/etc/app")
    watches = Watches()
    watches.add(here, {"/etc/app/a": (A,)})
    concern = watches.concern([Event(here.number("/etc"), mask, "")])
    assert concern == Concern(frozenset({A}), rearm=True)


def test_lost_events_concern_everything() -> None:
    """An overflow is not a quiet time."""
    assert Watches().concern([Event(-1, inotify.OVERFLOW, "")]).everything


def test_what_finds_no_room_is_named_and_the_rest_is_watched() -> None:
    """The caller looks at the one by time, visibly; the other costs no more than before."""
    here = Directories("/etc", "/etc/app", "/etc/app/sub", room=3)
    watches = Watches()
    watches.add(here, {"/etc/app/a": (A,), "/etc/app/sub/b": (B,)})
    assert watches.unwatched == {B}
    assert watches.keys_of(here.number("/etc/app"), "a") == {A}


def test_who_watches_names_asks_for_directories() -> None:
    """A directory whose names count is known from one that only must not move."""
    here = Directories("/etc", "/etc/app")
    watches = Watches()
    watches.add(here, {"/etc/app/a": (A,)})
    assert watches.directories() == {
        "/": (0, False),
        "/etc": (here.number("/etc"), False),
        "/etc/app": (here.number("/etc/app"), True),
    }
    assert watches.keys_of(here.number("/etc"), "") == {A}
