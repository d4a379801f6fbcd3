"""What a program that was told not to write can still do, and how lacking means are told."""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path

import pytest

from state_engine.host import confined
from state_engine.host.programs import LinuxPrograms
from state_engine.ports import PortError, ProgramCall


def landlock() -> bool:
    version = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return int(version) > 0


needs_landlock = pytest.mark.skipif(not landlock(), reason="the kernel has no landlock")


@needs_landlock
@pytest.mark.parametrize(
    "attempt",
    [
        "touch {0}/new",
        "echo x > {0}/file",
        "rm {0}/file",
        "mv {0}/file {0}/other",
        "mkdir {0}/sub",
        "ln -s x {0}/link",
        "ln {0}/file {0}/hard",
        ": > {0}/file",
    ],
)
def test_a_reading_program_changes_no_file(attempt: str, tmp_path: Path) -> None:
    """Whatever it tries below a directory that it could write to before."""
    (tmp_path / "file").write_text("old", encoding="utf-8")
    body = attempt.format(tmp_path).encode()
    captured = LinuxPrograms().run(ProgramCall(("/bin/sh",), script=body, read_only=True))
    assert captured.exit != 0, captured
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [
        ("file", "old")
    ]


@needs_landlock
def test_a_reading_program_has_its_devices_and_its_scratch() -> None:
    """What checks do every day goes on working: here-documents, /dev/null, temporary files."""
    body = b'cat <<X > "$TMPDIR/a"\nhere\nX\ncat "$TMPDIR/a" 2>/dev/null; sort "$TMPDIR/a"'
    captured = LinuxPrograms().run(ProgramCall(("/bin/bash",), script=body, read_only=True))
    assert (captured.exit, captured.stdout) == (0, "here\nhere\n")
    mine = "" if os.geteuid() == 0 else "[not to be had on this host: "
    assert captured.stderr.startswith(mine)


def test_what_could_not_be_given_up_is_told(tmp_path: Path) -> None:
    """A kernel without the means: the program runs, and the status says what is lacking and why."""
    status: confined.Status = {"held": [], "lacking": ["x: why"], "error": "", "code": ""}
    read, write = os.pipe()
    confined.tell(write, status)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        assert json.loads(stream.readline()) == status
    call = ProgramCall((str(tmp_path / "none"),), read_only=True)
    with pytest.raises(PortError, match=r"cannot run .*/none: No such file"):
        LinuxPrograms().run(call)
