"""A user of the managed host plays with the paths that root's engine walks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from state_engine.host.files import LinuxFiles
from state_engine.host.handles import temporary_name
from state_engine.ports import PortError

pytestmark = pytest.mark.hostile
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="plays root and another user: needs root")
NOBODY = 65534


def refused(files: LinuxFiles, path: Path) -> str:
    with pytest.raises(PortError) as caught:
        files.write(str(path), b"ours", 0o644, -1, -1)
    return caught.value.code


def link(path: Path, target: Path | str, owner: int) -> None:
    path.symlink_to(target)
    os.lchown(path, owner, owner)


@needs_root
def test_a_link_that_another_user_owns_is_not_followed(tmp_path: Path) -> None:
    """A user's link in a directory of root's: nothing is written behind it."""
    (tmp_path / "secret").mkdir()
    link(tmp_path / "link", tmp_path / "secret", NOBODY)
    assert refused(LinuxFiles(), tmp_path / "link" / "file") == "ELOOP"
    assert list((tmp_path / "secret").iterdir()) == []


@needs_root
@pytest.mark.parametrize(("owner", "mode"), [(NOBODY, 0o755), (0, 0o777), (0, 0o1777), (0, 0o775)])
def test_roots_own_link_is_not_followed_where_others_can_write(
    tmp_path: Path, owner: int, mode: int
) -> None:
    """A link of root's that a user may have moved there (renaming keeps the owner) is refused."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "open").mkdir()
    link(tmp_path / "open" / "link", tmp_path / "secret", 0)
    (tmp_path / "open").chmod(mode)
    os.chown(tmp_path / "open", owner, 0)
    assert refused(LinuxFiles(), tmp_path / "open" / "link" / "file") == "ELOOP"
    assert list((tmp_path / "secret").iterdir()) == []


def test_a_link_that_only_we_could_make_is_followed(tmp_path: Path) -> None:
    """Absolute, relative and chained links of our own lead where they say."""
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "one").symlink_to(tmp_path / "real")
    (tmp_path / "two").symlink_to("one/../one/./deep")
    files = LinuxFiles()
    files.write(str(tmp_path / "two" / "file"), b"x", 0o644, -1, -1)
    assert (tmp_path / "real" / "deep" / "file").read_bytes() == b"x"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    """The walk ends after as many links as the kernel would follow."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert refused(LinuxFiles(), tmp_path / "a" / "file") == "ELOOP"


@needs_root
def test_a_trusted_link_into_a_users_directory_still_guards_what_is_below(tmp_path: Path) -> None:
    """After a good link the rule goes on: a user's link further down is refused."""
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", NOBODY, NOBODY)
    link(tmp_path / "home" / "evil", "/etc", NOBODY)
    (tmp_path / "good").symlink_to(tmp_path / "home")
    assert refused(LinuxFiles(), tmp_path / "good" / "evil" / "planted") == "ELOOP"
    assert not Path("/etc/planted").exists()


RACE = """
import os, sys
os.chdir(sys.argv[1])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print("ready", flush=True)
while True:
    os.rename("dir", "aside"); os.symlink(sys.argv[2], "dir")
    os.unlink("dir"); os.rename("aside", "dir")
"""


@pytest.fixture
def racer(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Another user who swaps a directory for a link to root's secrets, as fast as it can."""
    home, secret = tmp_path / "home", tmp_path / "secret"
    (home / "dir").mkdir(parents=True)
    secret.mkdir(mode=0o700)
    (secret / "file").write_bytes(b"root's")
    for path in (home, home / "dir"):
        os.chown(path, NOBODY, NOBODY)
    process = subprocess.Popen(
        [sys.executable, "-c", RACE, str(home), str(secret)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    try:
        yield home, secret
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@needs_root
def test_a_directory_swapped_for_a_link_in_mid_walk_never_leads_elsewhere(
    racer: tuple[Path, Path],
) -> None:
    """Thousands of writes, changes of mode and removals in the race: the secret is untouched."""
    home, secret = racer
    files = LinuxFiles()
    path = str(home / "dir" / "file")
    done = 0
    for round_ in range(3_000):
        with suppress(PortError):
            files.write(path, b"ours", 0o666, NOBODY, NOBODY)
            done += 1
        with suppress(PortError):
            files.set_mode(path, 0o777)
        with suppress(PortError):
            files.set_owner(path, NOBODY, NOBODY)
        if round_ % 3 == 0:
            with suppress(PortError):
                files.remove(path)
        with suppress(PortError):
            assert files.read(path, 100) in {b"ours", b""}
    assert done > 0
    assert [child.name for child in secret.iterdir()] == ["file"]
    found = (secret / "file").stat()
    assert (secret / "file").read_bytes() == b"root's"
    assert (found.st_uid, stat.S_IMODE(found.st_mode) & 0o022) == (0, 0)


@needs_root
def test_a_hard_link_to_someone_elses_file_is_not_given_away(tmp_path: Path) -> None:
    """In a user's directory, a name that shares its file with another one keeps owner and mode."""
    (tmp_path / "secret").write_bytes(b"root's")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", NOBODY, NOBODY)
    os.link(tmp_path / "secret", tmp_path / "home" / "mine")
    files = LinuxFiles()
    for change in (
        lambda: files.set_owner(str(tmp_path / "home" / "mine"), NOBODY, NOBODY),
        lambda: files.set_mode(str(tmp_path / "home" / "mine"), 0o666),
    ):
        with pytest.raises(PortError) as caught:
            change()
        assert caught.value.code == "EMLINK"
    found = (tmp_path / "secret").stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)


def test_writing_over_a_hard_link_leaves_the_other_name_alone(tmp_path: Path) -> None:
    """A write makes a new file, so the one that was linked keeps its content."""
    (tmp_path / "other").write_bytes(b"theirs")
    os.link(tmp_path / "other", tmp_path / "name")
    LinuxFiles().write(str(tmp_path / "name"), b"ours", 0o644, -1, -1)
    assert (tmp_path / "other").read_bytes() == b"theirs"


def test_a_pipe_in_a_files_place_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """Opening a FIFO would block for ever: it is seen first."""
    os.mkfifo(tmp_path / "pipe")
    files = LinuxFiles()
    for call in (files.digest, lambda path: files.read(path, 1)):
        with pytest.raises(PortError, match="not a regular file"):
            call(str(tmp_path / "pipe"))
    assert refused(files, tmp_path / "pipe") == "EINVAL"


def test_a_link_planted_as_the_temporary_file_is_not_written_through(tmp_path: Path) -> None:
    """The name of the temporary file can be known; what stands there is removed, not opened."""
    (tmp_path / "target").write_bytes(b"theirs")
    (tmp_path / temporary_name("file")).symlink_to(tmp_path / "target")
    LinuxFiles().write(str(tmp_path / "file"), b"ours", 0o644, -1, -1)
    assert (tmp_path / "target").read_bytes() == b"theirs"
    assert (tmp_path / "file").read_bytes() == b"ours"
    assert sorted(child.name for child in tmp_path.iterdir()) == ["file", "target"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@needs_root
def test_a_full_disk_leaves_the_old_file_and_nothing_else(small_disk: Path) -> None:
    """ENOSPC in the middle of a write: old content, old mode, nothing else, and it recovers."""
    files = LinuxFiles()
    path = small_disk / "file"
    files.write(str(path), b"old", 0o640, -1, -1)
    assert refused_big(files, path) == "ENOSPC"
    assert path.read_bytes() == b"old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [child.name for child in small_disk.iterdir()] == ["file"]
    files.write(str(path), b"new", 0o640, -1, -1)
    assert path.read_bytes() == b"new"


def refused_big(files: LinuxFiles, path: Path) -> str:
    with pytest.raises(PortError) as caught:
        files.write(str(path), b"x" * 1_000_000, 0o600, -1, -1)
    return caught.value.code


def test_a_device_is_never_taken_for_a_file() -> None:
    """`/dev/full` stays what it is."""
    files = LinuxFiles()
    assert refused(files, Path("/dev/full")) == "EINVAL"
    assert Path("/dev/full").is_char_device()
