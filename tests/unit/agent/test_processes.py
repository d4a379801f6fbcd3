"""Who a process is, as far as /proc says, and never more of its command line than is good."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent import processes
from agent.processes import MAX_COMMAND, MAX_KNOWN, Processes, command, look
from protocol.reports import Author

STATUS = "Name:\tsed\nPPid:\t5\nUid:\t1000\t0\t0\t0\nGid:\t1000\t0\t0\t0\n"


def proc(
    root: Path,
    pid: int,
    *,
    words: tuple[str, ...] = ("sed", "-i"),
    exe: str | None = "/usr/bin/sed",
    login: str = "1000",
    cgroup: str = "0::/user.slice/user-1000.slice/session-3.scope\n",
) -> None:
    """A process in a /proc of our own."""
    place = root / str(pid)
    place.mkdir(parents=True, exist_ok=True)
    (place / "status").write_text(STATUS)
    (place / "loginuid").write_text(login)
    (place / "cgroup").write_text(cgroup)
    (place / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (place / "exe").unlink(missing_ok=True)
    if exe is not None:
        (place / "exe").symlink_to(exe)


def test_what_a_process_is(tmp_path: Path) -> None:
    """It acts with its effective user; who logged in stays known whatever he became."""
    proc(tmp_path, 7)
    proc(tmp_path, 5, exe="/bin/bash")
    assert look(7, str(tmp_path)) == Author(
        7, "/usr/bin/sed", uid=0, login_uid=1000, unit="session-3.scope", parent="/bin/bash"
    )


def test_nobody_has_logged_in(tmp_path: Path) -> None:
    """A service has no log-in; the controllers of an older host name no unit."""
    groups = "4:memory:/user.slice/x.scope\n1:name=systemd:/system.slice/cron.service\n"
    proc(tmp_path, 7, login="4294967295", cgroup=groups)
    found = look(7, str(tmp_path))
    assert (found.login_uid, found.unit) == (None, "cron.service")


def test_what_is_gone_is_a_number(tmp_path: Path) -> None:
    """A process that has ended and waits for its parent still has a name."""
    assert look(7, str(tmp_path)) == Author(7)
    proc(tmp_path, 7, exe=None)
    assert look(7, str(tmp_path)).exe == "[sed]"
    assert command(8, str(tmp_path)) is None


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("sed", "-i", "s/a b/c/"), "sed -i s/a b/c/"),
        (("x", "--password=hunter2", "y"), "x --password=*** y"),
        (("x", "--db-password", "hunter2", "y"), "x --db-password *** y"),
        (("env", "API_KEY=abc", "MYSQL_PWD_SECRET=x"), "env API_KEY=*** MYSQL_PWD_SECRET=***"),
        (("vi", "/etc/passwd"), "vi /etc/passwd"),
        (("y" * 300,), "y" * MAX_COMMAND + "…"),
    ],
)
def test_a_command_line_is_cut_and_hides_what_looks_like_a_secret(
    tmp_path: Path, words: tuple[str, ...], shown: str
) -> None:
    """It ends in a journal that others read."""
    proc(tmp_path, 7, words=words)
    assert command(7, str(tmp_path)) == shown


def test_a_process_that_ends_keeps_what_was_read_of_it(tmp_path: Path) -> None:
    """A writer is named by his first event, although he is gone at his last; not for ever."""
    known = Processes(str(tmp_path))
    proc(tmp_path, 7)
    first = known.meet(7, 10.0)
    proc(tmp_path, 7, exe=None)
    assert known.meet(7, 10.0 + processes.FRESH_SECONDS + 0.01) == first
    assert known.meet(7, 10.0 + processes.STALE_SECONDS + 1.0).exe == "[sed]"


def test_a_process_that_becomes_another_program_is_read_again(tmp_path: Path) -> None:
    """A storm of one writer is read once in a while, and an exec is seen."""
    known = Processes(str(tmp_path))
    proc(tmp_path, 7)
    known.meet(7, 10.0)
    proc(tmp_path, 7, exe="/usr/bin/vi")
    assert known.meet(7, 10.0).exe == "/usr/bin/sed"
    assert known.meet(7, 10.2).exe == "/usr/bin/vi"


def test_only_the_same_program_gives_its_words(tmp_path: Path) -> None:
    """A number that is another's by now must not name him."""
    known = Processes(str(tmp_path))
    proc(tmp_path, 7)
    author = known.meet(7, 10.0)
    assert known.complete(author).command == "sed -i"
    proc(tmp_path, 7, exe="/usr/bin/vi")
    assert known.complete(author).command is None


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    """A thousand short processes leave no trace of the first."""
    known = Processes(str(tmp_path))
    for pid in range(1, MAX_KNOWN + 10):
        known.meet(pid, 1.0)
    assert len(known._known) == MAX_KNOWN


def test_a_real_process_is_seen() -> None:
    """The kernel's files are read as they are."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        found = Processes().meet(process.pid, 0.0)
        assert found.uid == os.geteuid()
        assert found.exe is not None
        named = processes.named(found, lambda uid: f"user{uid}")
        assert named.user == f"user{os.geteuid()}"
        process.communicate(b"\n")


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/cron.service",
            "user@1000.service",
        ),
        ("/system.slice/containers.service/inner/sshd.service", "containers.service"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope"),
    ],
)
def test_a_unit_is_the_word_of_the_system_and_not_of_a_user(
    tmp_path: Path, cgroup: str, unit: str
) -> None:
    """A user's own manager has units too, of any name, also that of a service of the host."""
    proc(tmp_path, 7, cgroup=f"0::{cgroup}\n")
    assert look(7, str(tmp_path)).unit == unit
