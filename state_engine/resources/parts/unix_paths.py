"""What file and directory kinds share: the checks of paths, modes and owners.

No look outside; the walk over a real file system is `host.walk`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from state_engine.resources.contract import SpecProblem

Ensure = Literal["present", "absent"]
MAX_PATH_BYTES = 4095  # PATH_MAX with its final NUL
MAX_NAME_BYTES = 255  # NAME_MAX
_MODE = re.compile(r"[0-7]{3,4}|0[0-7]{4}")
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.@\\-]{0,254}\$?|[0-9]{1,10}")
_MAX_ID = 2**32 - 2  # 2**32 - 1 is -1 to chown: "leave it"


def check_path(field: str, path: str) -> list[SpecProblem]:
    """Return what keeps a string from being an absolute, normalised path."""
    problem: SpecProblem | None = None
    if not path.startswith("/"):
        problem = SpecProblem(field, f"`{path}` is not an absolute path", "start it with `/`")
    elif "\0" in path:
        problem = SpecProblem(field, "a path cannot hold a NUL byte")
    elif not _encodable(path):
        problem = SpecProblem(field, "the path is not valid Unicode")
    elif len(path.encode()) > MAX_PATH_BYTES:
        problem = SpecProblem(field, f"the path is longer than {MAX_PATH_BYTES} bytes")
    elif path == "/":
        problem = SpecProblem(field, "`/` itself cannot be managed")
    else:
        parts = path[1:].split("/")
        if any(part in {"", ".", ".."} for part in parts):
            message = f"`{path}` holds an empty, `.` or `..` component"
            problem = SpecProblem(field, message, "write the path without them")
        elif any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
            problem = SpecProblem(field, f"a component is longer than {MAX_NAME_BYTES} bytes")
    return [problem] if problem else []


def check_mode(mode: str | None, field: str = "mode") -> list[SpecProblem]:
    """Return what keeps a string from being an octal mode such as "0644"."""
    if mode is None or _MODE.fullmatch(mode):
        return []
    hint = 'quote three or four octal digits, for example "0644"'
    return [SpecProblem(field, f"`{mode}` is not an octal mode", hint)]


def check_account(field: str, name: str | None) -> list[SpecProblem]:
    """Return what keeps a string from being a user or group: a name, or a number as text."""
    if name is None:
        return []
    if not _ACCOUNT.fullmatch(name) or (name.isdigit() and int(name) > _MAX_ID):
        return [SpecProblem(field, f"`{name}` is not a valid {field} name or number")]
    return []


def check_alone(ensure: Ensure, others: Sequence[object]) -> list[SpecProblem]:
    """Return the problem of an object that is to be absent and to have other fields."""
    if ensure == "present" or all(other is None for other in others):
        return []
    message = "what is absent has no content, owner or mode"
    return [SpecProblem("ensure", message, "keep `path` and `ensure` only")]


def mode_bits(mode: str | None) -> int | None:
    """Return the permission bits of a checked octal mode."""
    return None if mode is None else int(mode, 8)


def mode_text(mode: int) -> str:
    """Return permission bits as modules write them: "0644"."""
    return f"{mode:04o}"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
