"""The program that becomes the command: it takes on limits and user first, then gives way to it.

It is started as a file by `agent.command_launch`, in a process of its own with one thread, so it
imports nothing but the standard library. What stands in the way it prints, as a shell would.
"""

from __future__ import annotations

import errno
import json
import os
import pwd
import resource
import signal
import sys
from typing import TypedDict

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CANNOT = 126
NOT_FOUND = 127


class Plan(TypedDict):
    """What to become, and as whom; `groups` are open handles on cgroups to enter."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    user: str
    rlimits: dict[str, int]
    groups: list[int]


def main(handle: int) -> int:
    """Read the plan from `handle` and carry it out; returns only if that failed."""
    with os.fdopen(handle, "rb") as stream:
        plan: Plan = json.load(stream)
    try:
        for group in plan["groups"]:
            # First of all: nothing that comes after may be outside of it.
            os.write(group, b"0")
            os.close(group)
        environment = _become(plan) | plan["env"]
        os.chdir(plan["cwd"])
    except (OSError, ValueError, KeyError) as error:
        return _complain(f"cannot start: {_words(error)}", CANNOT)
    # Python ignores these, and what is ignored stays so in the next program.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(plan["argv"][0], plan["argv"], environment)  # noqa: S606 - argv, no shell
    except OSError as error:
        code = NOT_FOUND if error.errno == errno.ENOENT else CANNOT
        return _complain(f"cannot run {plan['argv'][0]}: {error.strerror}", code)


def _become(plan: Plan) -> dict[str, str]:
    for name, value in plan["rlimits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (value, value))
    own = pwd.getpwuid(os.geteuid())
    user = own
    if plan["user"]:
        text = plan["user"]
        try:
            user = pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
        except KeyError:
            raise ValueError(f"there is no user {text!r} on this host") from None
    if user.pw_uid != own.pw_uid:
        # Else the user's own programs could not open /dev/stdout and /dev/stdin again.
        for stream in (0, 1):
            os.fchown(stream, user.pw_uid, user.pw_gid)
        os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    names = {"USER": user.pw_name, "LOGNAME": user.pw_name, "HOME": user.pw_dir or "/"}
    return {"PATH": _PATH, "LANG": "C.UTF-8", **names}


def _words(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f" {error.filename}" if error.filename else ""
    return f"{error.strerror}{where}"


def _complain(text: str, code: int) -> int:
    os.write(2, f"standfast: {text}\n".encode("utf-8", "replace"))
    return code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
