"""Asking the person at the terminal. In a pipe nobody is asked: the flag must say it."""

from __future__ import annotations

import sys

import click

from client.failures import BadUsageError, ClientError
from client.render.safe_text import safe


def is_interactive() -> bool:
    """Say whether there is a person to ask."""
    return sys.stdin.isatty()


def confirm(question: str, *, yes: bool, flag: str = "--yes") -> None:
    """Return if the person says yes, or has said so by the flag.

    Raises:
        BadUsageError: nobody can be asked.
        ClientError: the answer is no.
    """
    if yes:
        return
    if not is_interactive():
        raise BadUsageError(
            f"{question} Nobody can be asked here",
            next_command=f"the same command with {flag}",
            code="confirmation_needed",
        )
    shown = "\n".join(map(safe, question.split("\n")))
    if not click.confirm(shown, default=False, err=True):
        raise ClientError("nothing was done", code="declined")
