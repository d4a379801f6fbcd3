"""The command document: what is run on a host, the action that a signature covers, and its result.

The host rebuilds the action from the document that it is offered, so nothing of it can be changed
on the way: program or script, user, directory, variables, input, shell, limits and time. Pure.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from typing import Literal

import msgspec

from protocol import canonical
from protocol.canonical import MAX_INTEGER, Json
from protocol.errors import DecodeError

# A script, its input and its variables together fit an offer of 1 MiB, and an API body with the
# input in base64: 256 + 64 + 64 + 4/3 x 256 is 725 KiB.
MAX_SCRIPT = 262_144
MAX_ARGV = 65_536
MAX_ENV = 65_536
MAX_STDIN = 262_144
MAX_NAME = 4_096
# A month; what runs longer is a service.
MAX_TIMEOUT_MS = 31 * 86_400_000
# What a shell would say of a program that ran out of time or was ended by TERM.
EXIT_TIMEOUT = 124
EXIT_CANCELLED = 143
DEFAULT_SHELL = "/bin/sh"

RLIMITS = ("as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "rss", "stack")
Ending = Literal["exited", "timeout", "cancelled", "interrupted"]


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to run: `argv`, or a `script` for a `shell` that reads it as its file.

    `user` "" is the agent's own. `env` is added to a small fixed environment. `timeout_ms` None
    waits for ever. `rlimits` maps names of `RLIMITS` to a number that is soft and hard limit.
    `transcript` shows each command of a bash script before it runs.
    """

    argv: tuple[str, ...] = ()
    script: str = ""
    shell: str = DEFAULT_SHELL
    user: str = ""
    cwd: str = "/"
    env: dict[str, str] = {}
    # A factory, for the API document cannot show bytes as a default.
    stdin: bytes = msgspec.field(default_factory=bytes)
    timeout_ms: int | None = None
    rlimits: dict[str, int] = {}
    transcript: bool = False

    @property
    def text(self) -> str:
        """The command as a person would write it, to be shown."""
        if self.script:
            return self.script
        import shlex

        return shlex.join(self.argv)


class Output(msgspec.Struct, frozen=True):
    """`output`: a piece of what a command printed, both of its streams as they came.

    `number` counts the pieces of a run from 1. `offset` is where it begins in bytes, `omitted` how
    many were left out right before it. `text` is whole UTF-8.
    """

    run_id: str
    fence: int
    number: int
    offset: int
    text: str
    omitted: int = 0


class CommandResult(msgspec.Struct, frozen=True):
    """A host's answer to a command, the document that its `finished` entry names.

    `exit_code` follows the shell (128 + n for a signal); `ending` tells our own 124 and 143 from
    the command's. None: nobody knows, for the agent ended before the command did. `size` counts the
    bytes printed, `omitted` those that are in no piece, `unkept` those that are nowhere; `output`
    names the artifact with the rest. `contained`: a cgroup held all of its processes.
    """

    node_id: str
    ending: Ending
    exit_code: int | None
    duration_ms: int
    size: int
    omitted: int = 0
    unkept: int = 0
    output: str | None = None
    contained: bool = False


def check(command: Command) -> None:
    """Check a command's own rules.

    Raises:
        DecodeError: one of them is broken; the text says which, and what is right.
    """
    _check_program(command)
    _check_size("argv", sum(len(one.encode()) + 1 for one in _plain("argv", command.argv)), 0)
    _check_size("script", len(_plain("script", (command.script,))[0].encode()), 1)
    _check_size("stdin", len(command.stdin), 2)
    for name, text in (("user", command.user), ("cwd", command.cwd), ("shell", command.shell)):
        _plain(name, (text,))
        if len(text) > MAX_NAME:
            raise DecodeError(f"{name} has at most {MAX_NAME} characters")
    if not command.cwd.startswith("/"):
        raise DecodeError("cwd must be an absolute path")
    if command.timeout_ms is not None and not 0 < command.timeout_ms <= MAX_TIMEOUT_MS:
        raise DecodeError(f"timeout must be 1 to {MAX_TIMEOUT_MS} ms")
    _check_env(command.env)
    for name, value in command.rlimits.items():
        if name not in RLIMITS:
            raise DecodeError(f"rlimit {name[:64]!r} is none of {', '.join(RLIMITS)}")
        if not 0 <= value <= MAX_INTEGER:
            raise DecodeError(f"rlimit {name} must be 0 or more")


def _check_program(command: Command) -> None:
    # A blank script beside argv would be what runs, and argv what is meant.
    if bool(command.argv) == bool(command.script) or command.script.isspace():
        raise DecodeError("give either argv or a script that is not blank")
    if command.argv and not command.argv[0]:
        raise DecodeError("argv[0] is empty: name a program")
    if not command.shell:
        raise DecodeError("shell must name a program")
    if command.transcript and (posixpath.basename(command.shell) != "bash" or command.argv):
        raise DecodeError("transcript needs a script and bash as its shell")


_SIZES = (("argv", MAX_ARGV), ("script", MAX_SCRIPT), ("stdin", MAX_STDIN), ("env", MAX_ENV))


def _check_size(name: str, size: int, row: int) -> None:
    if size > _SIZES[row][1]:
        raise DecodeError(f"{name} has {size} bytes, at most {_SIZES[row][1]} are allowed")


def _plain(name: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if "\0" in text:
            raise DecodeError(f"{name} holds a NUL character")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DecodeError(f"{name} holds a lone surrogate") from error
    return texts


def _check_env(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        _plain("env", (name, value))
        if not name or "=" in name:
            raise DecodeError(f"env: {name[:64]!r} is no name of a variable")
    _check_size("env", sum(len(k.encode()) + len(v.encode()) + 2 for k, v in env.items()), 3)


def action(command: Command) -> bytes:
    """Return the canonical action that a decision on this command covers.

    Raises:
        DecodeError: the command breaks its rules.
    """
    check(command)
    env: dict[str, Json] = dict(command.env)
    rlimits: dict[str, Json] = dict(command.rlimits)
    return canonical.encode(
        {
            "argv": list(command.argv),
            "capability": "command.run",
            "cwd": command.cwd,
            "env": env,
            "rlimits": rlimits,
            "script": command.script,
            "shell": command.shell,
            "stdin": hashlib.sha256(command.stdin).hexdigest(),
            "timeout_ms": command.timeout_ms,
            "transcript": command.transcript,
            "user": command.user,
            "v": 1,
        }
    )
