"""Carrying out the unpacking step; the kind's own tests run it through the engine."""

from __future__ import annotations

import pytest

from state_engine.engine.unpack import unpack
from state_engine.ports import PortError
from state_engine.resources.contract import Unpack
from tests.fakes.archives import packed, sha
from tests.fakes.ports import FakePorts, Node

DATA = packed({"a": b"1", "d/b": b"2"}, "xz")


def world() -> FakePorts:
    ports = FakePorts()
    ports.files.put("/t", Node("directory", 0o755, 0, 0))
    ports.files.put("/a", Node("file", 0o644, 0, 0, DATA))
    return ports


def test_only_the_members_that_are_due_are_written() -> None:
    """The others are left alone, changed or not."""
    ports = world()
    ports.files.put("/t/a", Node("file", 0o600, 0, 0, b"mine"))
    step = Unpack("/a", sha(DATA), "/t", members=("d", "d/b"), mode=0o640)
    assert unpack(step, ports, 7, 8)
    assert ports.files.read("/t/a", 9) == b"mine"
    stats = [ports.files.stat(f"/t/{name}") for name in ("d", "d/b")]
    assert [(stat.mode, stat.uid, stat.gid) for stat in stats if stat] == [
        (0o750, 7, 8),
        (0o640, 7, 8),
    ]


def test_taking_out_says_whether_there_was_anything() -> None:
    """The second time there is not."""
    ports = world()
    unpack(Unpack("/a", sha(DATA), "/t"), ports, -1, -1)
    step = Unpack("/a", sha(DATA), "/t", remove=True)
    assert [unpack(step, ports, -1, -1), unpack(step, ports, -1, -1)] == [True, False]
    assert ports.files.names("/t") == ()


def test_another_archive_or_no_archive_is_refused() -> None:
    """With what is wrong."""
    ports = world()
    with pytest.raises(PortError, match="changed meanwhile"):
        unpack(Unpack("/a", sha(b""), "/t"), ports, -1, -1)
    ports.files.put("/a", Node("file", 0o644, 0, 0, b"text"))
    with pytest.raises(PortError, match="cannot be read as tar or zip"):
        unpack(Unpack("/a", sha(b"text"), "/t"), ports, -1, -1)
