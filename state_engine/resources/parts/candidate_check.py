"""The field `validate`: a command that has to accept a new file before it takes its place.

Running it is `engine.steps`.
"""

from __future__ import annotations

from collections.abc import Sequence

from state_engine.resources.contract import PLACEHOLDER, SpecProblem


def check_command(command: Sequence[str], *, managed: bool) -> list[SpecProblem]:
    """Return what keeps a command from checking a file; `managed`: there is content to check."""
    message: str | None = None
    if not command or not command[0].startswith("/") or PLACEHOLDER in command[0]:
        message = "`validate` starts with the absolute path of a program"
    elif not any(PLACEHOLDER in argument for argument in command):
        message = f"`validate` has no `{PLACEHOLDER}`, which stands for the file to check"
    elif any("\0" in argument for argument in command):
        message = "`validate` holds a NUL byte"
    elif not managed:
        message = "`validate` checks content, and none is managed"
    return [] if message is None else [SpecProblem("validate", message)]
