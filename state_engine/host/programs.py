"""The program port on Linux: own session, closed handles, few variables, a deadline that holds.

Works from any thread: the end of the program is seen through a pidfd, not a signal.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from protocol.reports import CapturedStream
from state_engine.host import clock, walk
from state_engine.host.capture import Kept
from state_engine.host.launch import Launch
from state_engine.ports import ProgramCall

EXIT_TIMEOUT = 124
EXIT_CANCELLED = 143
# From TERM to KILL: time to write a last line, not to finish the work.
GRACE = 5.0
# How often a running program's caller is asked whether it was cancelled.
CANCEL_POLL = 0.1
# A program that left a daemon behind keeps its pipes open: read what is there, then let go.
DRAIN = 0.25
_CHUNK = 65_536


class LinuxPrograms:
    """Running programs on this host; `cancelled` is asked while one runs."""

    def __init__(
        self, cancelled: Callable[[], bool] = lambda: False, *, grace: float = GRACE
    ) -> None:
        self._cancelled = cancelled
        self._grace = grace

    def run(self, call: ProgramCall) -> CapturedStream:
        """Run to its end; a timeout (exit 124) or cancel (143) ends its whole process group.

        A program that ends with its children still running is not waited for beyond it.

        Raises:
            PortError: it could not be started.
        """
        launch = Launch(call)
        try:
            run = self._watched(launch.process, call)
            try:
                return launch.verdict(run.to_the_end())
            finally:
                run.close()
        finally:
            launch.close()

    def _watched(self, process: subprocess.Popen[bytes], call: ProgramCall) -> _Run:
        try:
            return _Run(process, call, self._cancelled, self._grace)
        except OSError as error:  # no handle is left to watch it with: it must not run unwatched
            _end(process)
            raise walk.refusal(error, "watch", call.argv[0]) from error


class _Run:
    """One program from its start to its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        call: ProgramCall,
        cancelled: Callable[[], bool],
        grace: float,
    ) -> None:
        self._process = process
        self._call = call
        self._cancelled = cancelled
        self._grace = grace
        self._pid_handle = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        self._stdin = memoryview(call.stdin)
        self._kept = {"stdout": Kept(call.keep), "stderr": Kept(call.keep)}
        self._open = 0
        self._reason: int | None = None
        for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr")):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, selectors.EVENT_READ, name)
                self._open += 1
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")
        self._selector.register(self._pid_handle, selectors.EVENT_READ, "end")

    def to_the_end(self) -> CapturedStream:
        deadline = clock.monotonic() + self._call.timeout
        ended = False
        while not ended:
            now = clock.monotonic()
            if self._reason is None and (now >= deadline or self._cancelled()):
                self._reason = EXIT_TIMEOUT if now >= deadline else EXIT_CANCELLED
                self._signal(signal.SIGTERM)
                deadline = now + self._grace
            elif now >= deadline:
                self._signal(signal.SIGKILL)
                deadline = now + self._grace
            ended = self._turn(min(CANCEL_POLL, max(0.0, deadline - now)))
        if self._reason is not None:
            # Whoever of the group ignored TERM, or was started meanwhile, goes too.
            self._signal(signal.SIGKILL)
        self._drain()
        code = self._process.wait()
        texts = {name: kept.text() for name, kept in self._kept.items()}
        return CapturedStream(
            exit=self._exit(code),
            stdout=texts["stdout"],
            stderr=texts["stderr"],
            truncated=any(kept.dropped for kept in self._kept.values()),
        )

    def close(self) -> None:
        self._selector.close()
        os.close(self._pid_handle)
        _end(self._process)

    def _exit(self, code: int) -> int:
        if self._reason is not None:
            return self._reason
        return 128 - code if code < 0 else code

    def _turn(self, timeout: float) -> bool:
        """Wait for something to happen and handle it; return True once the program has ended."""
        ended = False
        for key, _ in self._selector.select(timeout):
            name: str = key.data
            if name == "end":
                ended = True
            elif name == "stdin":
                self._feed()
            else:
                self._take(key.fd, name)
        return ended

    def _drain(self) -> None:
        self._selector.unregister(self._pid_handle)
        deadline = clock.monotonic() + DRAIN
        while self._open and (rest := deadline - clock.monotonic()) > 0:
            self._turn(rest)

    def _take(self, handle: int, name: str) -> None:
        try:
            data = os.read(handle, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._kept[name].add(data)
        else:
            self._selector.unregister(handle)
            self._open -= 1

    def _feed(self) -> None:
        stream: IO[bytes] | None = self._process.stdin
        if stream is None:
            return
        try:
            if self._stdin:
                self._stdin = self._stdin[os.write(stream.fileno(), self._stdin) :]
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            self._stdin = memoryview(b"")
        if not self._stdin:
            self._selector.unregister(stream)
            stream.close()

    def _signal(self, number: signal.Signals) -> None:
        _signal_group(self._process, number)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group has the number of its leader, which is ours until it is waited for.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal_group(process, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
