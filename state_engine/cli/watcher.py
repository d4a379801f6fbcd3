"""The process that takes an apply back which nobody confirms; started by `apply --confirm-within`.

It outlives the terminal that the apply may have cut off. After a reboot nobody watches: then
`standfast-state` says so at the next apply.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from state_engine.cli import local
from state_engine.engine.progress import recovered
from state_engine.engine.rollback import apply_rollback
from state_engine.host import clock, switch_file
from state_engine.host.state_directory import StateDirectory, StateDirectoryError

# How late a confirmation, or the end of the apply, is seen.
PAUSE = 0.2
# The rollback is an operation of its own, and its name says of which.
BACK = "-back"


def start(directory: Path, operation_id: str) -> int:
    """Start the watcher of an operation; it waits for the state directory to be free first.

    Returns its process id. No hang-up of the terminal reaches it.
    """
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    # -P: no code comes from the working directory, which anybody may be able to write to.
    argv = [sys.executable, "-P", "-m", "state_engine.cli.watcher", str(directory), operation_id]
    # The code is found where ours was, wherever that was started.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return os.posix_spawn(argv[0], argv, environment, file_actions=nowhere, setsid=True)


def watch(
    state: StateDirectory, operation_id: str, pause: Callable[[float], None] = time.sleep
) -> bool:
    """Wait for the apply to end and for its confirmation; say whether it was taken back."""
    while _busy(state):
        pause(PAUSE)
    until = None
    while True:
        switch = switch_file.load(state.path)
        if switch.state != "armed" or switch.operation_id != operation_id:
            return False
        until = until or clock.monotonic() + switch.window
        if clock.monotonic() >= until and not _busy(state) and take_back(state, operation_id):
            return True
        pause(PAUSE)


def take_back(state: StateDirectory, operation_id: str) -> bool:
    """Take an unconfirmed apply back; False if it was decided meanwhile or the directory is in use.

    Once it is begun, a confirmation comes too late.
    """
    try:
        with state.locked():
            return _take_back(state, operation_id)
    except StateDirectoryError:
        return False


def _take_back(state: StateDirectory, operation_id: str) -> bool:
    switch, act = switch_file.load(state.path).on("expire")
    if act != "revert" or switch.operation_id != operation_id:
        return False
    switch_file.save(state.path, switch)
    snapshot = state.snapshot()
    resume = local.interrupted_apply(state)
    if resume is not None:
        snapshot = recovered(snapshot, (), resume)
    outcome = apply_rollback(
        f"{operation_id}{BACK}",
        operation_id,
        local.NODE_ID,
        snapshot,
        local.open_ports(state),
        approved=None,
        anyway=True,
    )
    state.save_snapshot(outcome.snapshot)
    state.clear_journal()
    switch_file.save(state.path, switch.on("done")[0])
    return True


def _busy(state: StateDirectory) -> bool:
    try:
        with state.locked():
            return False
    except StateDirectoryError:
        return True


if __name__ == "__main__":
    os.chdir("/")  # it keeps no mount busy
    watch(StateDirectory(Path(sys.argv[1])), sys.argv[2])
