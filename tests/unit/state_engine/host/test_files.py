"""The file port on Linux; the common promises are in the contract suite."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from state_engine.host.files import LinuxFiles
from state_engine.host.handles import temporary_name
from state_engine.host.stat_cache import StatCache
from state_engine.ports import PortError


def test_the_mode_is_exact_under_any_umask(tmp_path: Path) -> None:
    """Also bits that a umask takes away."""
    path = str(tmp_path / "f")
    before = os.umask(0o077)
    try:
        LinuxFiles().write(path, b"", 0o666, -1, -1)
        LinuxFiles().make_directory(str(tmp_path / "d"), 0o2777, -1, -1)
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o666
    assert (tmp_path / "d").stat().st_mode & 0o7777 == 0o2777


def test_a_temporary_file_left_by_a_kill_goes_with_the_next_write(tmp_path: Path) -> None:
    """One name per target, so nothing piles up."""
    (tmp_path / temporary_name("f")).write_bytes(b"half")
    LinuxFiles().write(str(tmp_path / "f"), b"whole", 0o644, -1, -1)
    assert [child.name for child in tmp_path.iterdir()] == ["f"]
    assert len(temporary_name("x" * 255)) < 255


def test_a_digest_comes_from_the_cache_only_while_the_file_is_untouched(tmp_path: Path) -> None:
    """The cache answers for the old inode; `verify` reads in any case."""
    path = tmp_path / "f"
    path.write_bytes(b"x")
    files = LinuxFiles()
    found = path.lstat()
    files.cache.remember(str(path), found, "remembered", found.st_ctime_ns + 10**10)
    assert files.digest(str(path)) == "remembered"
    assert files.matches(str(path), "file", None, None, None, "remembered")
    assert files.digest(str(path), verify=True) == hashlib.sha256(b"x").hexdigest()
    files.cache.remember(str(path), found, "remembered", found.st_ctime_ns + 10**10)
    files.write(str(path), b"y", 0o644, -1, -1)
    assert files.digest(str(path)) == hashlib.sha256(b"y").hexdigest()


def test_an_older_file_is_remembered_after_one_reading(tmp_path: Path) -> None:
    """Then a glance is enough; a fresh file needs another reading first."""
    fresh = tmp_path / "f"
    fresh.write_bytes(b"x")
    files = LinuxFiles(StatCache())
    files.digest(str(fresh))
    assert len(files.cache) == 0
    files.digest("/etc/passwd")
    assert len(files.cache) == 1


def test_a_glance_at_impossible_paths_is_no(tmp_path: Path) -> None:
    """It never raises."""
    files = LinuxFiles()
    for path in ("/a\0b", "/" + "x" * 5_000, str(tmp_path / "missing")):
        assert not files.matches(path, "file", None, None, None, None)


def test_looking_through_a_refused_way_is_an_error_and_not_absence(tmp_path: Path) -> None:
    """Otherwise a file would be created because a link hides it."""
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(PortError) as caught:
        LinuxFiles().stat(str(tmp_path / "a" / "f"))
    assert caught.value.code == "ELOOP"


def test_no_handle_is_left_open(tmp_path: Path) -> None:
    """After successes and refusals of every call."""
    files, path = LinuxFiles(), str(tmp_path / "f")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        files.write(path, b"x", 0o644, -1, -1)
        files.digest(path)
        files.set_mode(path, 0o600)
        for refused in (files.is_empty, files.digest, files.remove):
            with pytest.raises(PortError):
                refused(path + ("/below" if refused != files.is_empty else ""))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
