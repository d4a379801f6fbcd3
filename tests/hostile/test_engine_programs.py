"""Scripts that do not want to end, shout without end, or hold on to what they were given."""

from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path

import pytest

from protocol.reports import CapturedStream
from state_engine.host.programs import LinuxPrograms
from state_engine.ports import PortError, ProgramCall

pytestmark = pytest.mark.hostile


def run(body: str, programs: LinuxPrograms | None = None, **fields: object) -> CapturedStream:
    call = ProgramCall(("/bin/sh",), script=body.encode(), **fields)  # type: ignore[arg-type]  # each test names its own
    return (programs or LinuxPrograms(grace=0.2)).run(call)


def gone(pid: int) -> bool:
    """Say whether a process has ended (it may still be a zombie of someone else's)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state in {"Z", "X"}


def test_a_script_that_ignores_term_is_killed_with_its_children(tmp_path: Path) -> None:
    """After the time limit nothing of the group is left, though all of it ignores TERM."""
    pids = tmp_path / "pids"
    body = f"trap '' TERM; (trap '' TERM; sleep 1000) & echo $! >> {pids}; echo $$ >> {pids}; wait"
    captured = run(body, timeout=0.3)
    assert captured.exit == 124
    numbers = [int(line) for line in pids.read_text(encoding="utf-8").split()]
    assert len(numbers) == 2
    wait_until_gone(numbers)


def wait_until_gone(numbers: list[int]) -> None:
    for number in numbers:
        try:
            handle = os.pidfd_open(number)
        except ProcessLookupError:
            continue
        try:
            # Readable once the process has ended: a condition, not a sleep.
            ready, _, _ = select.select([handle], [], [], 10)
            assert ready or gone(number)
        finally:
            os.close(handle)


def test_a_cancelled_script_ends_with_143(tmp_path: Path) -> None:
    """Asked while it runs: the group gets TERM, and the exit code says cancelled."""
    started = tmp_path / "started"
    programs = LinuxPrograms(started.exists, grace=0.2)
    captured = run(f"echo before; touch {started}; sleep 1000", programs)
    assert captured.exit == 143
    assert captured.stdout == "before\n"


def test_endless_output_is_kept_head_and_tail() -> None:
    """4 MB of output cost the limit, not 4 MB, and both ends are there."""
    body = "echo first; head -c 4000000 /dev/zero | tr '\\0' x; echo; echo last"
    captured = run(body, keep=10_000)
    assert captured.exit == 0
    assert captured.truncated
    assert captured.stdout.startswith("first\n")
    assert captured.stdout.endswith("last\n")
    assert len(captured.stdout) < 10_100
    assert "bytes left out" in captured.stdout


def test_a_daemon_left_behind_does_not_hold_the_run(tmp_path: Path) -> None:
    """A child that keeps the pipes open after its parent's end is not waited for, nor killed."""
    pid_file = tmp_path / "pid"
    captured = run(f"sleep 1000 & echo $! > {pid_file}; echo done", timeout=60)
    pid = int(pid_file.read_text(encoding="utf-8"))
    try:
        assert (captured.exit, captured.stdout) == (0, "done\n")
        assert not gone(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_the_body_is_in_no_process_list() -> None:
    """The script looks at its own command line and finds only a file handle."""
    captured = run("secret=hunter2-in-the-body; tr '\\0' ' ' < /proc/$$/cmdline")
    assert "hunter2" not in captured.stdout
    assert captured.stdout.startswith("/bin/sh /dev/fd/")


def test_nothing_of_ours_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few variables, no handles but the script's own, a session of its own, an empty input."""
    monkeypatch.setenv("STANDFAST_SECRET", "hunter2")
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        captured = run(
            "env | sort; echo --; cat; ls /proc/$$/fd | wc -l; "
            "test $(ps -o sid= -p $$) = $$ && echo own session; umask"
        )
    finally:
        os.close(read)
        os.close(write)
    variables, _, rest = captured.stdout.partition("--\n")
    names = {line.partition("=")[0] for line in variables.splitlines()}
    assert names <= {"PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}
    handles, session, mask = rest.splitlines()
    # 0, 1, 2, the body, and what the shell opened to read it.
    assert int(handles) <= 5
    assert session == "own session"
    assert mask == "0022"


def test_large_input_and_output_at_once_do_not_block() -> None:
    """More than any pipe holds, both ways."""
    data = b"y" * 1_000_000
    call = ProgramCall(("/bin/cat",), stdin=data)
    captured = LinuxPrograms().run(call)
    assert (captured.exit, len(captured.stdout)) == (0, len(data))


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    """EPIPE on standard input is the program's choice."""
    captured = LinuxPrograms().run(ProgramCall(("/bin/true",), stdin=b"y" * 1_000_000))
    assert captured.exit == 0


def test_death_by_signal_is_told_as_the_shell_tells_it() -> None:
    """128 and the number of the signal."""
    assert run("kill -9 $$").exit == 137


def test_it_works_from_a_thread_that_is_not_the_main_one() -> None:
    """The engine runs in a worker thread: no signal handling is needed."""
    results: list[CapturedStream] = []
    thread = threading.Thread(target=lambda: results.append(run("echo thread; exit 4")))
    thread.start()
    thread.join(30)
    assert [(result.exit, result.stdout) for result in results] == [(4, "thread\n")]


def test_no_process_and_no_handle_is_left_over() -> None:
    """Forty runs later the process has as many handles as before."""
    run("true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        run("echo x")
        run("sleep 1000", timeout=0.01)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@ROOT_ONLY
@pytest.mark.needs_root
@pytest.mark.parametrize(
    "attempt",
    [
        "chmod 0777 {0}/file",
        "chown 1:1 {0}/file",
        "mount -o remount,rw,bind / && touch {0}/new",
        "mount -t tmpfs none {0}",
        "umount -l / 2>/dev/null; touch {0}/new",
        "nsenter -t {1} -m touch {0}/new",
        "echo 1 > /proc/sys/kernel/printk_ratelimit",
    ],
)
def test_a_check_that_runs_as_root_cannot_talk_itself_out(attempt: str, tmp_path: Path) -> None:
    """Not by modes, not by mounts of its own, not by another process's namespace."""
    target = tmp_path / "file"
    target.write_text("old", encoding="utf-8")
    before = target.stat()
    captured = run(attempt.format(tmp_path, os.getpid()), read_only=True)
    after = target.stat()
    assert (after.st_mode, after.st_uid, after.st_ctime_ns) == (
        before.st_mode,
        before.st_uid,
        before.st_ctime_ns,
    ), captured
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@ROOT_ONLY
@pytest.mark.needs_root
def test_a_user_cannot_have_a_library_loaded_before_root_is_left() -> None:
    """The variables of a call are the program's: what starts it, still as root, never sees them."""
    # The loader tells of every program that it loads while it sees this variable.
    captured = run("echo done", user="nobody", env=(("LD_DEBUG", "files"),))
    assert captured.stdout == "done\n"
    assert "/sh" in captured.stderr
    assert "python" not in captured.stderr.lower()


@ROOT_ONLY
@pytest.mark.needs_root
def test_a_users_program_inherits_none_of_our_handles(tmp_path: Path) -> None:
    """Only its three streams and its own body; nothing that root had opened, inheritable or not."""
    secret = tmp_path / "secret"
    secret.write_text("root's", encoding="utf-8")
    with secret.open("rb") as stream:
        os.set_inheritable(stream.fileno(), True)
        listing = run("ls -l /proc/self/fd; id -u", user="nobody").stdout
    assert str(secret) not in listing
    shown = [line.rpartition(" -> ")[2] for line in listing.splitlines() if " -> " in line]
    others = [name for name in shown if not name.startswith(("pipe:", "/proc/", "/memfd:"))]
    assert others == []


@ROOT_ONLY
@pytest.mark.needs_root
def test_a_directory_that_the_user_may_not_enter_is_not_entered(tmp_path: Path) -> None:
    """Root could, and a program that stands in it could read what is beside it."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(PortError, match="enter"):
        run("cat ./x", user="nobody", cwd=str(closed))
