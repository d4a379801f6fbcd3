"""Digests that one lstat keeps valid."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from state_engine.host import stat_cache
from state_engine.host.stat_cache import StatCache, racy

LATER = 10**10


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    return path


def remembered(path: Path) -> StatCache:
    cache = StatCache()
    found = path.lstat()
    assert cache.remember(str(path), found, "digest", found.st_ctime_ns + LATER)
    return cache


def test_an_untouched_file_is_found(file: Path) -> None:
    """And another path is not."""
    cache = remembered(file)
    assert cache.find(str(file), file.lstat()) == "digest"
    assert cache.find("/other", file.lstat()) is None
    cache.forget(str(file))
    assert len(cache) == 0


def test_a_change_that_hides_its_mtime_is_seen(file: Path) -> None:
    """Same size and same mtime: the kernel moves ctime, which nobody can set back."""
    cache = remembered(file)
    before = file.lstat()
    file.write_bytes(b"xyz")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.lstat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    if after.st_ctime_ns != before.st_ctime_ns:
        assert cache.find(str(file), after) is None
    # Within one tick ctime may be the same: that is what the guard below is for.


def test_a_replaced_file_is_seen(file: Path) -> None:
    """Another inode under the same name."""
    cache = remembered(file)
    other = file.with_name("other")
    other.write_bytes(b"abc")
    other.replace(file)
    assert cache.find(str(file), file.lstat()) is None


def test_a_file_changed_as_it_was_read_is_not_trusted(file: Path) -> None:
    """The racy moment: a second change in the same tick would look the same."""
    cache = remembered(file)
    found = file.lstat()
    assert not cache.remember(str(file), found, "digest", found.st_ctime_ns)
    # Worse: what was remembered before is forgotten too.
    assert cache.find(str(file), found) is None


@pytest.mark.parametrize(
    ("ctime_ns", "age_ns", "expected"),
    [
        (5_000_000_001, stat_cache.FINE_NS - 1, True),
        (5_000_000_001, stat_cache.FINE_NS + 1, False),
        # Whole seconds: a file system that may count no finer.
        (5_000_000_000, stat_cache.FINE_NS + 1, True),
        (5_000_000_000, stat_cache.COARSE_NS + 1, False),
        # A file from the future is never trusted.
        (5_000_000_001, -(10**9), True),
    ],
)
def test_the_guard_waits_longer_where_time_stamps_are_coarse(
    ctime_ns: int, age_ns: int, expected: bool
) -> None:
    """Five kernel ticks, or the two seconds of FAT."""
    stamped = SimpleNamespace(st_ctime_ns=ctime_ns)
    assert racy(stamped, ctime_ns + age_ns) is expected  # type: ignore[arg-type] # one field


def test_directories_are_not_remembered(tmp_path: Path) -> None:
    """They have no content to hash."""
    found = tmp_path.lstat()
    assert not StatCache().remember("/d", found, "digest", found.st_ctime_ns + LATER)


def test_a_cache_survives_being_written_down(file: Path) -> None:
    """And says the same."""
    cache = StatCache()
    assert cache.load(remembered(file).dump())
    assert cache.find(str(file), file.lstat()) == "digest"


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x92\xa1x\x80", b"\x90", b"[1]"])
def test_damaged_bytes_leave_the_cache_as_it_is(file: Path, data: bytes) -> None:
    """A cache is worth no error."""
    cache = remembered(file)
    assert not cache.load(data)
    assert len(cache) == 1


def test_it_holds_a_bounded_number_of_entries(file: Path) -> None:
    """The oldest goes."""
    cache, found = StatCache(limit=2), file.lstat()
    for name in ("/1", "/2", "/3", "/3"):
        cache.remember(name, found, "digest", found.st_ctime_ns + LATER)
    assert len(cache) == 2
    assert cache.find("/1", found) is None
