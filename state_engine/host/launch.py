"""Starting a program: its handles, variables, directory and user, and whether it may write.

A program that runs as another user, or that must not write, is started through `host.confined`.
Watching it until its end is `host.programs`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from protocol.reports import CapturedStream
from state_engine.host import confined, walk
from state_engine.ports import PortError, ProgramCall

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# -I, -S: neither the directory that it starts in nor any variable decides what it imports.
_CONFINED = (sys.executable, "-I", "-S", confined.__file__)
_STATUS_BYTES = 65_536  # what a pipe holds
_ENDED_BY_US = frozenset({124, 143})  # as `host.programs` says of a timeout and of a cancellation


class _Status(msgspec.Struct, frozen=True):
    held: list[str] = []
    lacking: list[str] = []
    error: str = ""
    code: str = ""


class _User(msgspec.Struct, frozen=True):
    name: str
    uid: int
    gid: int
    home: str


class Launch:
    """One started program, with what has to be put away after it. Close it in the end.

    Raises:
        PortError: it could not be started.
    """

    def __init__(self, call: ProgramCall, helper: tuple[str, ...] = _CONFINED) -> None:
        self._call = call
        self._helper = helper
        self._status: int | None = None
        self._scratch: str | None = None
        with ExitStack() as opened:
            opened.callback(self.close)
            self.process = self._start()
            opened.pop_all()

    def close(self) -> None:
        """Let go of the program's status and of its temporary files."""
        if self._status is not None:
            os.close(self._status)
            self._status = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def verdict(self, captured: CapturedStream) -> CapturedStream:
        """Return the captured output, with a line for every means of confinement that is lacking.

        Raises:
            PortError: what came to an end was not the program, for it could not be started.
        """
        if self._status is None:
            return captured
        lines = os.read(self._status, _STATUS_BYTES).splitlines()
        if not lines:
            return self._unstarted(captured)
        status = msgspec.json.decode(lines[-1], type=_Status)
        if status.error:
            raise PortError(status.error, status.code)
        if not status.lacking:
            return captured
        free = "" if status.held else "; this ran with write access"
        note = f"[not to be had on this host: {'; '.join(status.lacking)}{free}]\n"
        return msgspec.structs.replace(captured, stderr=captured.stderr + note)

    def _unstarted(self, captured: CapturedStream) -> CapturedStream:
        """Refuse what ended before its program began, unless it was we who ended it."""
        if captured.exit in _ENDED_BY_US:
            return captured
        # Its exit code is none of the program's: to a check it would mean "not as desired".
        said = captured.stderr.strip().rpartition("\n")[2][:200]
        text = f"{self._call.argv[0]} could not be started: exit {captured.exit}: {said}"
        raise PortError(text)

    def _start(self) -> subprocess.Popen[bytes]:
        call = self._call
        user = None if call.user is None else _user(call.user)
        environment = _environment(user) | dict(call.env)
        argv = list(call.argv)
        with ExitStack() as ours:
            handles: list[int] = []
            if call.script is not None:
                handles.append(_private_file(call.script, ours))
                argv.append(f"/dev/fd/{handles[0]}")
            other = user is not None and user.uid != os.geteuid()
            if not other and not call.read_only:
                return _popen(argv, environment, call.cwd, handles)
            plan = self._plan(argv, environment, user if other else None, ours)
            handles += [plan["status"], _private_file(msgspec.json.encode(plan), ours)]
            return _popen([*self._helper, str(handles[-1])], _environment(None), "/", handles)

    def _plan(
        self, argv: list[str], environment: dict[str, str], user: _User | None, ours: ExitStack
    ) -> confined.Plan:
        if user is not None and os.geteuid() != 0:
            raise PortError(f"only root can run a program as {user.name}", "EPERM")
        try:
            self._status, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            ours.callback(os.close, theirs)
            if self._call.read_only and os.geteuid() != 0:
                self._scratch = tempfile.mkdtemp(prefix="standfast-check-")
        except OSError as error:
            raise walk.refusal(error, "prepare", argv[0]) from error
        return confined.Plan(
            argv=argv,
            env=environment,
            cwd=self._call.cwd,
            uid=None if user is None else user.uid,
            gid=0 if user is None else user.gid,
            groups=[] if user is None else os.getgrouplist(user.name, user.gid),
            read_only=self._call.read_only,
            scratch=self._scratch,
            status=theirs,
        )


def _popen(
    argv: list[str], environment: dict[str, str], cwd: str, handles: list[int]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            close_fds=True,
            pass_fds=handles,
            umask=0o022,
        )
    except ValueError as error:
        raise PortError(f"cannot run {argv[0]}: {error}", "EINVAL") from error
    except OSError as error:
        # The system names the directory where it was the directory that could not be entered.
        what = f"enter {cwd} for" if error.filename == cwd != argv[0] else "run"
        raise walk.refusal(error, what, argv[0]) from error


def _user(name: str) -> _User:
    try:
        found = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        raise PortError(f"there is no user `{name}` on this host", "ENOENT") from None
    return _User(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def _environment(user: _User | None) -> dict[str, str]:
    if user is None:
        home = "/root" if os.geteuid() == 0 else os.environ.get("HOME", "/")
        return {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8"}
    home = user.home if Path(user.home).is_absolute() else "/"
    names = {"USER": user.name, "LOGNAME": user.name}
    return {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8", **names}


def _private_file(body: bytes, ours: ExitStack) -> int:
    """Return a handle on a file that has no name and holds the body."""
    handle = -1
    try:
        handle = os.memfd_create("standfast-script", os.MFD_CLOEXEC)
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.lseek(handle, 0, os.SEEK_SET)
    except OSError as error:
        if handle >= 0:
            with suppress(OSError):
                os.close(handle)
        raise walk.refusal(error, "store", "a script's body") from error
    ours.callback(os.close, handle)
    return handle
