"""Where the value of a secret comes from."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from client.failures import BadUsageError
from client.render.output import make_output
from client.secret_input import read_value

OUT = make_output({}, as_json=False, no_color=True, now=0.0)


def test_a_file_is_taken_as_it_is_and_a_pipe_without_its_last_newline(tmp_path: Path) -> None:
    """A key ends with a newline; what `echo` prints ends with one that nobody meant."""
    path = tmp_path / "key"
    path.write_bytes(b"line\nline\n")
    assert read_value(OUT, "a", str(path), None) == "line\nline\n"
    held, sys.stdin = sys.stdin, io.StringIO("piped value\n")
    try:
        assert read_value(OUT, "a", None, None) == "piped value"
    finally:
        sys.stdin = held


def test_a_value_on_the_command_line_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Every user of the machine has seen it; the warning does not say it once more."""
    assert read_value(OUT, "a", None, "in the open") == "in the open"
    shown = capsys.readouterr()
    assert "list of processes" in shown.err
    assert "in the open" not in shown.out + shown.err


def test_what_is_no_text_is_refused_without_being_quoted(tmp_path: Path) -> None:
    """Nor may its cause quote it."""
    path = tmp_path / "key"
    path.write_bytes(b"\xffsecret")
    with pytest.raises(BadUsageError, match="not UTF-8") as caught:
        read_value(OUT, "a", str(path), None)
    assert caught.value.__cause__ is None
    with pytest.raises(BadUsageError, match="exclude"):
        read_value(OUT, "a", str(path), "x")
    with pytest.raises(BadUsageError, match="cannot read"):
        read_value(OUT, "a", str(tmp_path / "none"), None)
