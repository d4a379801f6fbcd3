"""One command from its start to its end: watched, bounded in time, and ended with all it started.

Works from any thread: the end of the program is seen through a pidfd. What the result means for a
step, and what is journalled, is `command_steps`.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

import msgspec

from agent import command_launch
from agent.command_cgroup import CommandGroup
from agent.command_output import Collector
from protocol.commands import EXIT_CANCELLED, EXIT_TIMEOUT, Command, Ending
from state_engine.host import clock

# From TERM to KILL: time to write a last line, not to finish the work.
GRACE = 5.0
# How often the caller is asked whether the command was cancelled.
POLL = 0.1
# What a command left behind keeps its output open: read what is there, then let go.
DRAIN = 0.25
_CHUNK = 65_536


class Ended(msgspec.Struct, frozen=True):
    """How a command ended; `seconds` is how long it ran."""

    ending: Ending
    exit_code: int
    seconds: float


def run(
    command: Command,
    group: CommandGroup | None,
    output: Collector,
    cancelled: Callable[[], bool],
    began: Callable[[int], None] = lambda _: None,
    *,
    grace: float = GRACE,
) -> Ended:
    """Run a command to its end; a timeout (exit 124) or cancel (143) ends all that it started.

    What it left running when it ended by itself goes on. `began` hears of its process id.
    """
    try:
        process = command_launch.start(command, group)
    except OSError as error:
        output.add(f"standfast: cannot start: {error.strerror}\n".encode(), 0.0)
        return Ended("exited", 126, 0.0)
    try:
        began(process.pid)
        return _Watch(process, command, group, output, cancelled, grace).to_the_end()
    finally:
        if process.poll() is None:
            _kill(process, group)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


class _Watch:
    def __init__(
        self,
        process: subprocess.Popen[bytes],
        command: Command,
        group: CommandGroup | None,
        output: Collector,
        cancelled: Callable[[], bool],
        grace: float,
    ) -> None:
        self._process = process
        self._group = group
        self._output = output
        self._cancelled = cancelled
        self._grace = grace
        self._timeout = None if command.timeout_ms is None else command.timeout_ms / 1_000
        self._ending: Ending = "exited"
        self._open = True

    def to_the_end(self) -> Ended:
        handle = os.pidfd_open(self._process.pid)
        start = clock.monotonic()
        try:
            with selectors.DefaultSelector() as selector:
                if self._process.stdout is not None:
                    os.set_blocking(self._process.stdout.fileno(), False)
                    selector.register(self._process.stdout, selectors.EVENT_READ)
                selector.register(handle, selectors.EVENT_READ, "end")
                self._watch(selector, start)
                selector.unregister(handle)
                seconds = clock.monotonic() - start
                if self._ending != "exited":
                    # Whoever ignored TERM, or was started meanwhile, goes too.
                    _kill(self._process, self._group)
                self._drain(selector)
        finally:
            os.close(handle)
        return Ended(self._ending, self._code(self._process.wait()), seconds)

    def _watch(self, selector: selectors.BaseSelector, start: float) -> None:
        deadline = None if self._timeout is None else start + self._timeout
        while True:
            now = clock.monotonic()
            late = deadline is not None and now >= deadline
            if self._ending == "exited" and (late or self._cancelled()):
                self._ending = "timeout" if late else "cancelled"
                self._term()
                deadline = now + self._grace
            elif late:
                _kill(self._process, self._group)
                deadline = now + self._grace
            self._output.tick(now)
            rest = POLL if deadline is None else min(POLL, max(0.0, deadline - now))
            if self._turn(selector, rest):
                return

    def _turn(self, selector: selectors.BaseSelector, timeout: float) -> bool:
        """Wait for something to happen and handle it; True once the program has ended."""
        ended = False
        for key, _ in selector.select(timeout):
            if key.data == "end":
                ended = True
            else:
                self._take(selector, key.fd)
        return ended

    def _take(self, selector: selectors.BaseSelector, handle: int) -> None:
        try:
            data = os.read(handle, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._output.add(data, clock.monotonic())
        else:
            selector.unregister(handle)
            self._open = False

    def _drain(self, selector: selectors.BaseSelector) -> None:
        deadline = clock.monotonic() + DRAIN
        while self._open and (rest := deadline - clock.monotonic()) > 0:
            self._turn(selector, rest)

    def _term(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)
        if self._group is not None:
            self._group.send(signal.SIGTERM)

    def _code(self, code: int) -> int:
        match self._ending:
            case "timeout":
                return EXIT_TIMEOUT
            case "cancelled":
                return EXIT_CANCELLED
            case _:
                return 128 - code if code < 0 else code


def _kill(process: subprocess.Popen[bytes], group: CommandGroup | None) -> None:
    # The group has the number of its leader, which is ours until it is waited for.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if group is not None:
        group.kill()
