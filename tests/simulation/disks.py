"""What survives a crash, and what can go wrong with it: databases and files of hosts.

A crash is an exception that no product code catches: what was not committed is lost with it, and
from then on nothing of that process can write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent.database import Database, StorageError, Tx
from protocol.reports import CapturedStream
from state_engine.ports import PortError, ProgramCall
from tests.fakes.ports import FakeBackups, FakeFiles, FakePorts, FakePrograms

T = TypeVar("T")
# Room that a host keeps for the reports of running work: here its being there is what counts.
RESERVE = 4_096


class Crash(BaseException):
    """The process ends here, without another instruction."""


class Faults:
    """What is wrong with one machine's disk and process now.

    `crash_in` is how many more points of danger it survives, None for all of them; `failing` how
    many syncs will fail; `full`: there is no room; `tearing`: it ends in the middle of its next
    script.
    """

    def __init__(self) -> None:
        self.dead = False
        self.full = False
        self.failing = 0
        self.crash_in: int | None = None
        self.tearing = False

    def point(self) -> None:
        """Pass a point at which the process may end."""
        if self.dead:
            raise Crash
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.crash_in = None
                self.dead = True
                raise Crash

    def sync_fails(self) -> bool:
        """Say whether this sync fails."""
        self.failing -= self.failing > 0
        return self.failing > 0

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.full, self.failing, self.crash_in, self.tearing = False, 0, None, False


class CrashingDatabase(Database):
    """A host's database on a disk with faults."""

    def __init__(self, state_dir: Path, faults: Faults) -> None:
        self._faults = faults
        super().__init__(state_dir, reserve=RESERVE)

    def _attempt(self, job: Callable[[Tx], T]) -> T:
        self._faults.point()
        if self._faults.full and self._reserve_path.exists():
            raise StorageError("agent.db: database or disk is full", full=True)
        failing = self._faults.sync_fails()

        def watched(tx: Tx) -> T:
            answer = job(tx)
            if failing:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            return answer

        answer = super()._attempt(watched)
        self._faults.point()
        return answer

    def _hold_reserve(self) -> None:
        if not self._faults.full:
            super()._hold_reserve()


class HostFiles(FakeFiles):
    """A host's files; `acts` hears of each change that the engine makes, before it is made."""

    def __init__(self, faults: Faults, acts: Callable[[str], None]) -> None:
        super().__init__()
        self._faults = faults
        self._acts = acts

    def _guarded(self, path: str, change: Callable[[], None]) -> None:
        self._faults.point()
        self.full = self._faults.full
        if not self.full:
            self._acts(path)
        change()
        self._faults.point()

    def write(
        self,
        path: str,
        content: bytes,
        mode: int,
        uid: int,
        gid: int,
        accept: Callable[[str], None] | None = None,
    ) -> None:
        write = super().write
        self._guarded(path, lambda: write(path, content, mode, uid, gid, accept))

    def set_mode(self, path: str, mode: int) -> None:
        set_mode = super().set_mode
        self._guarded(path, lambda: set_mode(path, mode))

    def set_owner(self, path: str, uid: int, gid: int) -> None:
        set_owner = super().set_owner
        self._guarded(path, lambda: set_owner(path, uid, gid))

    def remove(self, path: str) -> None:
        remove = super().remove
        self._guarded(path, lambda: remove(path))


class HostPrograms(FakePrograms):
    """Programs of two kinds: `ask NAME VALUE` looks, `bring NAME VALUE` makes it so.

    `ran` is what was brought about, and outlives crashes.
    """

    def __init__(self, faults: Faults, acts: Callable[[str], None]) -> None:
        super().__init__()
        self._faults = faults
        self._acts = acts
        self.ran: dict[str, str] = {}

    def run(self, call: ProgramCall) -> CapturedStream:
        if call.script is None:
            raise PortError("there are no programs here but scripts", "ENOENT")
        word, name, value = call.script.decode().split()
        if word == "ask":
            return CapturedStream(0 if self.ran.get(name) == value else 1, "", "")
        self._faults.point()
        self._acts(name)
        # Cut off here it has done half of its work, and its check does not show it.
        if self._faults.tearing:
            self._faults.tearing, self._faults.crash_in = False, 1
        self._faults.point()
        self.ran[name] = value
        self._faults.point()
        return CapturedStream(0, "", "")


class HostPorts(FakePorts):
    """A host as its engine sees it; it is what lies on its disk, so it outlives crashes."""

    def __init__(
        self, faults: Faults, clock: Callable[[], float], acts: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.files = self.host_files = HostFiles(faults, acts)
        self.programs = self.host_programs = HostPrograms(faults, acts)
        self.backups = FakeBackups(self.files)
        self._wall = clock

    @property
    def clock(self) -> Callable[[], float]:
        return self._wall
