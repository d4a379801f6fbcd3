"""Reading archives; the attacks are in tests/hostile/test_kinds_content.py."""

from __future__ import annotations

import tarfile

import pytest

from state_engine.resources.parts import archive_files
from state_engine.resources.parts.archive_files import Member
from tests.fakes.archives import FORMATS, entry, packed, sha, tar


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_same(form: str) -> None:
    """Parents are there although nobody named them, and come first."""
    data = packed({"top/a/x": b"1", "top/b": b"22"}, form, links={"top/l": "a/x"})
    members = archive_files.manifest(data, sha(data), 0)
    assert [(item.path, item.kind, item.digest, item.target) for item in members] == [
        ("top", "directory", "", ""),
        ("top/a", "directory", "", ""),
        ("top/a/x", "file", sha(b"1"), ""),
        ("top/b", "file", sha(b"22"), ""),
        ("top/l", "symlink", "", "a/x"),
    ]
    wanted = frozenset({"a/x", "b"})
    assert dict(archive_files.contents(data, 1, wanted)) == {"a/x": b"1", "b": b"22"}


def test_leading_components_are_left_out() -> None:
    """What has no more of them is not there."""
    data = packed({"top/a/x": b"1", "readme": b""}, "gz")
    assert [item.path for item in archive_files.manifest(data, sha(data), 1)] == ["a", "a/x"]


def test_what_was_read_is_known() -> None:
    """By digest and what is left out; a few archives at most."""
    data = packed({"a": b"only here"}, "tar")
    assert archive_files.known(sha(data), 0) is None
    found = archive_files.manifest(data, sha(data), 0)
    assert archive_files.known(sha(data), 0) is found
    assert archive_files.known(sha(data), 1) is None
    for number in range(20):
        other = packed({"a": b"%d" % number}, "tar")
        archive_files.manifest(other, sha(other), 0)
    assert archive_files.known(sha(data), 0) is None


def test_modes_lose_privileges_and_the_write_bits_of_others() -> None:
    """A set-user-id bit in somebody's archive is not ours to give out."""
    modes = {"a": 0o4777, "b": 0o2664, "c": 0o000, "d": 0o755}
    data = tar([entry(name, b"x", mode=mode) for name, mode in modes.items()])
    found = {item.path: item.mode for item in archive_files.manifest(data, sha(data), 0)}
    assert found == {"a": 0o755, "b": 0o644, "c": 0o600, "d": 0o755}


def test_a_hard_link_is_a_copy() -> None:
    """Of a file before it in the archive."""
    members = [entry("a", b"content"), entry("b", kind=tarfile.LNKTYPE, link="a")]
    data = tar(members)
    found = archive_files.manifest(data, sha(data), 0)
    assert found[1] == Member("b", "file", 0o644, sha(b"content"))
    assert dict(archive_files.contents(data, 0, frozenset({"b"}))) == {"b": b"content"}


def test_of_a_name_that_comes_twice_the_last_counts() -> None:
    """As when it is unpacked by others."""
    data = tar([entry("a", b"old"), entry("a", b"new")])
    assert archive_files.manifest(data, sha(data), 0)[0].digest == sha(b"new")
