"""What happens in a watched directory is read, and what cannot be watched is said."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import trio

from agent import inotify
from agent.inotify import BUDGET, Event, Inotify, WatchLimit


async def test_a_change_in_a_watched_directory_is_read(tmp_path: Path) -> None:
    """A write is an event with the name of the file; masks of one directory add up."""
    watch = Inotify()
    number = watch.add(str(tmp_path), inotify.SELF)
    assert number == watch.add(str(tmp_path), inotify.ENTRIES)
    assert watch.read() == []
    (tmp_path / "a").write_text("x")
    with trio.fail_after(5):
        await watch.wait()
    assert {(event.watch, event.name) for event in watch.read()} == {(number, "a")}
    watch.close()


async def test_an_arrangement_takes_away_what_it_does_not_name(tmp_path: Path) -> None:
    """The descriptor stays; a directory of the last arrangement is silent after the next."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    watch = Inotify()
    watch.begin()
    watch.add(str(tmp_path / "a"), inotify.ENTRIES)
    watch.finish()
    watch.begin()
    number = watch.add(str(tmp_path / "b"), inotify.ENTRIES)
    watch.finish()
    (tmp_path / "a/old").write_text("")
    (tmp_path / "b/new").write_text("")
    events = [event for event in watch.read() if not event.mask & inotify.IGNORED]
    assert {(event.watch, event.name) for event in events} == {(number, "new")}
    watch.close()


async def test_no_more_watches_than_there_is_room_for(tmp_path: Path) -> None:
    """What is over is said, costs nothing, and finds room once another has gone."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    watch = Inotify(room=1)
    watch.add(str(tmp_path / "a"), inotify.ENTRIES)
    watch.add(str(tmp_path / "a"), inotify.SELF)
    with pytest.raises(WatchLimit):
        watch.add(str(tmp_path / "b"), inotify.ENTRIES)
    (tmp_path / "b/new").write_text("")
    assert [event.name for event in watch.read() if event.name] == []
    watch.begin()
    assert watch.add(str(tmp_path / "b"), inotify.ENTRIES) is not None
    watch.close()


@pytest.mark.parametrize(
    ("limit", "room"), [("8192", 4_096), ("10000000", inotify.BUDGET), ("1", 1), ("?", BUDGET)]
)
def test_half_of_the_hosts_watches_are_for_others(tmp_path: Path, limit: str, room: int) -> None:
    """The limit is one for all programs of a user; a host that does not say has our own."""
    (tmp_path / "limit").write_text(limit)
    assert inotify.budget(tmp_path / "limit") == room


async def test_what_is_no_directory_is_not_watched(tmp_path: Path) -> None:
    """A missing path or a file has no watch, and that is no error."""
    watch = Inotify()
    (tmp_path / "file").write_text("")
    assert watch.add(str(tmp_path / "none"), inotify.ENTRIES) is None
    assert watch.add(str(tmp_path / "file"), inotify.ENTRIES) is None
    watch.close()


async def test_what_was_closed_is_not_read(tmp_path: Path) -> None:
    """Its number may be another file's by then; whoever was told that it is readable gets none."""
    watch = Inotify()
    watch.add(str(tmp_path), inotify.ENTRIES)
    (tmp_path / "a").write_text("x")
    await watch.wait()
    watch.close()
    with (tmp_path / "a").open("rb") as other:
        assert watch.read() == []
        assert other.read() == b"x"
    with pytest.raises(trio.ClosedResourceError):
        await watch.wait()


def test_a_buffer_is_taken_apart() -> None:
    """Names are padded with zeros; an event for the directory itself has none."""
    data = struct.pack("iIII", 1, inotify.CREATE, 0, 8) + b"ab\0\0\0\0\0\0"
    data += struct.pack("iIII", -1, inotify.OVERFLOW, 0, 0)
    assert inotify.parse(data) == [
        Event(1, inotify.CREATE, "ab"),
        Event(-1, inotify.OVERFLOW, ""),
    ]
