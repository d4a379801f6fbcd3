"""Where the value of a secret comes from: a file, a prompt, a pipe, or the command line if it must.

A value is returned and nowhere shown, logged or kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from client.failures import BadUsageError
from client.questions import is_interactive
from client.render.output import Output
from protocol.secrets import MAX_VALUE


def read_value(out: Output, name: str, path: str | None, value: str | None) -> str:
    """Return a value; one newline at the end of what is piped in is not part of it.

    Raises:
        BadUsageError: two sources at once, a file that cannot be read, or no text.
    """
    if path is not None and value is not None:
        raise BadUsageError("--file and --value exclude each other")
    if value is not None:
        out.note("--value is seen in the list of processes and kept by the shell: change it soon")
        return value
    if path is not None:
        return _text(_file(path), path)
    if is_interactive():
        prompted: str = click.prompt(
            f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True
        )
        return prompted
    try:
        piped = sys.stdin.read(MAX_VALUE + 3)
    except UnicodeDecodeError:
        raise _no_text("standard input") from None
    return piped.removesuffix("\n").removesuffix("\r")


def _file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_VALUE + 1)
    except OSError as error:
        raise BadUsageError(
            f"cannot read {path}: {error.strerror}", code="file_unreadable"
        ) from error


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _no_text(where) from None


def _no_text(where: str) -> BadUsageError:
    # Without its cause: that one quotes the bytes.
    return BadUsageError(f"{where} is not UTF-8 text; encode it first (base64)")
