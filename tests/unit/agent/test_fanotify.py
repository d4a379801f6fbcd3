"""Who touched which name is read from the kernel, where it lets us."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from agent import fanotify
from agent.fanotify import Fanotify, Touch


def group() -> Fanotify:
    """A group, or a skip where the kernel gives none."""
    try:
        return Fanotify()
    except OSError as error:
        pytest.skip(f"needs CAP_SYS_ADMIN for fanotify: {error}")


def marked(asking: Fanotify, path: Path, *, entries: bool = True) -> bytes:
    handle = asking.add(str(path), entries=entries)
    if handle is None:
        pytest.skip("needs a file system with file handles under the temporary directory")
    return handle


async def test_a_touch_names_the_process_and_the_file(tmp_path: Path) -> None:
    """Writing, renaming over and deleting, each by another process, are told apart."""
    asking = group()
    here = marked(asking, tmp_path)
    pids: list[int] = []
    for words in ("open('a', 'w').write('x')", "os.rename('a', 'b')", "os.remove('b')"):
        code = f"import os; {words}"
        with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as process:  # noqa: ASYNC220
            pids.append(process.pid)
    with trio.fail_after(5):
        await asking.wait()
    touches = asking.read()
    assert {touch.directory for touch in touches} == {here}
    assert {(touch.name, touch.pid) for touch in touches} == {
        ("a", pids[0]),
        ("a", pids[1]),
        ("b", pids[1]),
        ("b", pids[2]),
    }
    asking.close()


async def test_a_directory_that_only_must_not_move_is_silent_about_its_names(
    tmp_path: Path,
) -> None:
    """An ancestor of a managed path costs nothing until it goes elsewhere."""
    asking = group()
    (tmp_path / "above").mkdir()
    above = marked(asking, tmp_path / "above", entries=False)
    (tmp_path / "above/new").write_text("")
    assert asking.read() == []
    (tmp_path / "above").rename(tmp_path / "elsewhere")
    assert {(touch.directory, touch.name) for touch in asking.read()} == {(above, "")}
    asking.close()


async def test_a_cleared_group_is_silent_and_can_be_used_again(tmp_path: Path) -> None:
    """Marks follow directories wherever they go; clearing finds them all the same."""
    asking = group()
    (tmp_path / "here").mkdir()
    first = marked(asking, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    asking.read()
    asking.clear()
    (tmp_path / "there/new").write_text("")
    assert asking.read() == []
    assert marked(asking, tmp_path / "there") == first
    (tmp_path / "there/new").unlink()
    assert {touch.name for touch in asking.read()} == {"new"}
    asking.close()
    assert asking.read() == []
    with pytest.raises(trio.ClosedResourceError):
        await asking.wait()


async def test_what_is_no_directory_is_not_marked(tmp_path: Path) -> None:
    """A missing path or a file has no handle, and that is no error."""
    asking = group()
    (tmp_path / "file").write_text("")
    assert asking.add(str(tmp_path / "none"), entries=True) is None
    assert asking.add(str(tmp_path / "file"), entries=True) is None
    asking.close()


def event(body: bytes, pid: int = 7, mask: int = fanotify.MODIFY) -> bytes:
    return struct.pack("=IBBHQii", 24 + len(body), 3, 0, 24, mask, -1, pid) + body


def place(name: bytes, kind: int = 2) -> bytes:
    body = struct.pack("=IIIi", 1, 2, 4, 1) + b"hand" + name + b"\0"
    return struct.pack("=BxH", kind, 4 + len(body)) + body


def test_a_buffer_is_taken_apart() -> None:
    """The directory's own name is a dot; what has no place, such as an overflow, is left out."""
    data = event(place(b"a")) + event(b"", mask=fanotify.OVERFLOW) + event(place(b"."), pid=8)
    data += event(place(b"x", kind=1) + place(b"b"), pid=9)
    handle = struct.pack("=Qi", 1 | 2 << 32, 1) + b"hand"
    assert fanotify.parse(data) == [
        Touch(handle, "a", 7, fanotify.MODIFY),
        Touch(handle, "", 8, fanotify.MODIFY),
        Touch(handle, "b", 9, fanotify.MODIFY),
    ]


@pytest.mark.parametrize("data", [b"", b"x" * 23, event(b"\0\0\0\0"), b"\0" * 24])
def test_a_buffer_that_is_no_events_has_none(data: bytes) -> None:
    """A length of nothing does not make us read for ever."""
    assert fanotify.parse(data) == []
