"""Finding and making a cgroup, on the files that the kernel shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent import command_cgroup
from agent.command_cgroup import places

V2 = "30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 20 0:27 /box /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "32 20 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "33 20 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "garbage\n"
)


def proc(path: Path, own: str, mounts: str) -> Path:
    (path / "cgroup").write_text(own, "ascii")
    (path / "mountinfo").write_text(mounts, "ascii")
    return path


@pytest.mark.parametrize(
    ("own", "mounts", "found"),
    [
        ("0::/system.slice/a.service\n", V2, ["/sys/fs/cgroup/system.slice/a.service"]),
        (
            "9:name=systemd:/s\n8:pids:/box/p\n1:cpu:/\n",
            V1,
            ["/sys/fs/cgroup/systemd/s", "/sys/fs/cgroup/pids/p"],
        ),
        ("", "", []),
    ],
)
def test_our_own_groups_are_found(tmp_path: Path, own: str, mounts: str, found: list[str]) -> None:
    """Version 2 first; in a container the path begins where its mount does."""
    assert [str(path) for path in places(proc(tmp_path, own, mounts))] == found


def test_groups_within_a_group_are_part_of_it(tmp_path: Path) -> None:
    """What a command has put into a group beneath its own is ended as well."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "cgroup.procs").write_text("5\n", "ascii")
    (inner / "cgroup.procs").write_text("7\n0\n", "ascii")
    assert command_cgroup.CommandGroup(tmp_path).members() == (5, 7)


def test_without_proc_there_is_none(tmp_path: Path) -> None:
    """Nothing is guessed."""
    assert places(tmp_path / "nowhere") == ()


def test_all_in_a_group_are_ended() -> None:
    """Whatever session they have made; then the group can go."""
    group = command_cgroup.make("unit-test")
    if group is None:
        pytest.skip("no cgroup can be made here")
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (group.path / "cgroup.procs").write_text(str(process.pid), "ascii")
    assert group.members() == (process.pid,)
    group.remove()
    assert command_cgroup.find("unit-test") is not None
    assert group.kill()
    assert process.wait(10) == -9
    group.remove()
    assert command_cgroup.find("unit-test") is None
    assert group.members() == ()
