"""What happens in a watched directory is read, and what cannot be watched is said."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import trio

from agent import inotify
from agent.inotify import Event, Inotify


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
