"""Running programs; the attacks are in the hostile tests."""

from __future__ import annotations

import pytest

from state_engine.host.programs import LinuxPrograms
from state_engine.ports import PortError, ProgramCall


@pytest.mark.parametrize("program", ["/bin/sh", "/bin/bash"])
def test_a_body_is_run_with_its_standard_input_free(program: str) -> None:
    """The body comes by a private file, so the script may read what it is fed."""
    call = ProgramCall((program,), stdin=b"fed", script=b"read x; echo got $x; exit 7")
    captured = LinuxPrograms().run(call)
    assert (captured.exit, captured.stdout) == (7, "got fed\n")


def test_a_body_larger_than_argv_could_hold_runs() -> None:
    """A megabyte of script."""
    body = b"# " + b"x" * 1_000_000 + b"\necho end"
    assert LinuxPrograms().run(ProgramCall(("/bin/sh",), script=body)).stdout == "end\n"


def test_output_that_is_not_text_is_still_told() -> None:
    """Bytes that are no UTF-8 become replacement characters."""
    captured = LinuxPrograms().run(ProgramCall(("/bin/sh",), script=b"printf 'a\\377b'"))
    assert captured.stdout == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("path", ["/no/such/program", "/etc/passwd", "/etc"])
def test_what_cannot_be_started_is_refused(path: str) -> None:
    """With what the system said."""
    with pytest.raises(PortError) as caught:
        LinuxPrograms().run(ProgramCall((path,)))
    assert caught.value.code in {"ENOENT", "EACCES"}
