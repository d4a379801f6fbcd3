"""Starting a program: what it gets, and as whom."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest

from protocol.reports import CapturedStream
from state_engine.host.launch import Launch
from state_engine.host.programs import LinuxPrograms
from state_engine.ports import PortError, ProgramCall

USER = "nobody"


def said(body: str, **fields: object) -> str:
    call = ProgramCall(("/bin/sh",), script=body.encode(), **fields)  # type: ignore[arg-type]
    captured = LinuxPrograms().run(call)
    assert captured.exit == 0, captured
    return captured.stdout.strip()


def test_the_directory_and_the_variables_are_those_of_the_call() -> None:
    """Beside the few that every program gets."""
    shown = said('pwd; echo "$A-$LANG"', cwd="/usr", env=(("A", "x y"),))
    assert shown.splitlines() == ["/usr", "x y-C.UTF-8"]


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_user_gets_his_numbers_groups_and_home() -> None:
    """And nothing that is root's: no group, no capability, no way back."""
    entry = pwd.getpwnam(USER)
    capabilities = 'grep -E "^Cap(Prm|Eff)" /proc/self/status'
    body = f'id -u; id -g; id -G; echo "$HOME $USER $LOGNAME"; {capabilities}'
    ours = os.getgroups()
    os.setgroups([*ours, 4242])
    try:
        shown = said(body, user=USER).splitlines()
    finally:
        os.setgroups(ours)
    groups = " ".join(str(group) for group in os.getgrouplist(USER, entry.pw_gid))
    assert shown[:3] == [str(entry.pw_uid), str(entry.pw_gid), groups]
    assert shown[3] == f"{entry.pw_dir} {USER} {USER}"
    assert {line.split()[1] for line in shown[4:]} == {"0" * 16}
    assert said("id -u", user=str(entry.pw_uid)) == str(entry.pw_uid)


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_user_can_open_his_own_output_again() -> None:
    """`/dev/stdout` is a pipe that root made: it is handed over."""
    assert said("echo out > /dev/stdout; echo err > /dev/stderr", user=USER) == "out"


def test_a_user_that_is_ourselves_needs_nothing() -> None:
    """It is no error for a program without root to name its own user."""
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert said("id -un", user=name) == name


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"user": "no-such-user-here"}, "ENOENT"),
        ({"cwd": "/no/such/place"}, "ENOENT"),
        ({"cwd": "/no/such/place", "read_only": True}, "ENOENT"),
    ],
)
def test_what_is_not_there_is_said_by_name(fields: dict[str, object], code: str) -> None:
    """A user, or a directory, in the message."""
    with pytest.raises(PortError) as caught:
        said("true", **fields)
    assert caught.value.code == code
    assert str(next(iter(fields.values()))) in str(caught.value)


def test_what_was_never_started_has_not_said_no(tmp_path: Path) -> None:
    """A check whose helper is gone (an upgrade took it away) is an error, and no "not yet"."""
    call = ProgramCall(("/bin/sh",), script=b"true", read_only=True)
    launch = Launch(call, (sys.executable, "-I", str(tmp_path / "gone.py")))
    _, stderr = launch.process.communicate()
    ended = CapturedStream(launch.process.returncode, "", stderr.decode())
    with pytest.raises(PortError, match=r"could not be started.*gone\.py"):
        launch.verdict(ended)
    # Unless it was we who ended it, before it began.
    cancelled = CapturedStream(143, "", "")
    assert launch.verdict(cancelled) == cancelled
    launch.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_an_argument_that_no_program_can_be_given_is_an_error(read_only: bool) -> None:
    """And no exit code, which a check could be taken to have said no with."""
    with pytest.raises(PortError, match="cannot run /bin/sh"):
        LinuxPrograms().run(ProgramCall(("/bin/sh", "a\0b"), read_only=read_only))


def handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("read_only", [False, True])
def test_nothing_is_left_open_or_lying_about(read_only: bool) -> None:
    """After a run there are as many handles as before it, and no temporary directory."""
    before = handles()
    place = said('test -z "$TMPDIR" || touch "$TMPDIR/left"; echo "$TMPDIR"', read_only=read_only)
    assert handles() == before
    assert bool(place) == read_only
    assert not Path(place, "left").exists()
