"""What a started command gets: input, script, one pipe for both outputs, and nothing of ours."""

from __future__ import annotations

import os

from agent import command_launch
from protocol.commands import Command


def printed(command: Command) -> bytes:
    process = command_launch.start(command, None)
    assert process.stdout is not None
    with process.stdout as stream:
        data = stream.read()
    assert process.wait(20) == 0
    return data


def test_input_is_there_whole_and_ends() -> None:
    """A quarter of a MiB is no deadlock, and the end of it is seen."""
    command = Command(argv=("wc", "-c"), stdin=b"x" * 262_144)
    assert printed(command).split() == [b"262144"]


def test_no_handle_of_ours_is_inherited() -> None:
    """Beside input and output there is only the script itself."""
    keep = os.open("/etc/passwd", os.O_RDONLY)
    try:
        os.set_inheritable(keep, True)
        assert printed(Command(argv=("sh", "-c", "ls /proc/$$/fd"))).split() == [b"0", b"1", b"2"]
    finally:
        os.close(keep)


def test_it_leads_a_session_of_its_own() -> None:
    """So that a signal to its group reaches nobody else."""
    script = Command(script="echo $$; cut -d' ' -f5,6 /proc/$$/stat")
    own, ids = printed(script).splitlines()
    assert ids.split() == [own, own]


def test_a_long_script_is_no_argument() -> None:
    """It is read as a file: larger than an argument may be, and in no list of processes."""
    script = "# " + "x" * 200_000 + "\ntr '\\0' ' ' </proc/$$/cmdline\n"
    assert printed(Command(script=script)).startswith(b"/bin/sh /dev/fd/")
