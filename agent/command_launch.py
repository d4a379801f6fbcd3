"""Starting a command: its handles, its plan, its own session and cgroup.

Giving up rights and becoming the command is `agent.command_starter`; watching is `command_run`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack

from agent import command_starter
from agent.command_cgroup import CommandGroup
from agent.command_starter import Plan
from protocol.commands import Command

# -I, -S: neither a directory nor a variable decides what the starter imports.
_STARTER = (sys.executable, "-I", "-S", command_starter.__file__)
# Shown as typed, variables and all, as the published look has it.
_TRANSCRIPT = 'trap \'printf "\\$ %s\\n" "$BASH_COMMAND"\' DEBUG\n'


def start(command: Command, group: CommandGroup | None) -> subprocess.Popen[bytes]:
    """Start a command; its input is there in full, and both its outputs are one pipe.

    Raises:
        OSError: there is no handle, memory or process to be had for it.
    """
    with ExitStack() as ours:
        handles: list[int] = []
        argv = list(command.argv)
        if command.script:
            text = (_TRANSCRIPT if command.transcript else "") + command.script
            handles.append(_memory(text.encode(), ours))
            argv = [command.shell, f"/dev/fd/{handles[0]}"]
        groups: list[int] = []
        if group is not None:
            groups.append(group.handle())
            ours.callback(os.close, groups[0])
        plan = Plan(
            argv=argv,
            env=dict(command.env),
            cwd=command.cwd,
            user=command.user,
            rlimits=dict(command.rlimits),
            groups=groups,
        )
        handles += [*groups, _memory(json.dumps(plan).encode(), ours)]
        return subprocess.Popen(
            [*_STARTER, str(handles[-1])],
            stdin=_memory(command.stdin, ours),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            start_new_session=True,
            close_fds=True,
            pass_fds=handles,
            umask=0o022,
        )


def _memory(data: bytes, ours: ExitStack) -> int:
    """Return a handle on a file without a name that holds the data and stands at its start."""
    handle = os.memfd_create("standfast-command", os.MFD_CLOEXEC)
    ours.callback(os.close, handle)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
