"""One host of a run: a real agent on a disk that survives it, started again whenever it ends.

Sleeps here are virtual: a run is under trio's MockClock.
"""

from __future__ import annotations

import io
import shutil
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from copy import deepcopy
from errno import ENOSYS
from pathlib import Path
from random import Random
from typing import NoReturn

import trio

from agent.config import AgentConfig
from agent.core import Core
from agent.database import StorageError
from agent.identity import Identity
from agent.journal import DEFAULT_LIMIT, NOTE_MARGIN
from agent.link import Frames
from agent.logs import Log
from agent.services import drift, link, reconcile
from protocol.errors import StandfastError
from protocol.messages import Offer
from protocol.roster import Roster
from tests.fakes.ports import Node
from tests.simulation.chance import Chance
from tests.simulation.disks import Crash, CrashingDatabase, Faults, HostPorts
from tests.simulation.network import Network
from tests.simulation.oracle import Oracle, WatchedEngine
from tests.simulation.trace import Trace

EPOCH = 1_800_000_000.0
STOP_SECONDS = 5.0
# From a frame that comes to what follows from it: at most as long as a send may hang.
MOMENTS = 50.0


def no_watch(_room: int) -> NoReturn:
    """Give no watch, as a kernel without inotify: files are looked at by time."""
    raise OSError(ENOSYS, "there is no inotify here")


class LastWords(io.TextIOBase):
    """The last lines of an agent's log, for whoever looks into a run that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=40)

    def write(self, text: str) -> int:
        self.lines.append(text.rstrip())
        return len(text)


class SimHost:
    """A machine: its disk, its clock, its way to the coordinator, and its agent while it runs.

    `skew` is how far its clock is off, in seconds; `doing` the apply that runs now.
    """

    def __init__(
        self, name: str, chance: Chance, trace: Trace, network: Network, oracle: Oracle, room: Path
    ) -> None:
        self.name = name
        self._chance = chance
        self._trace, self._network, self.oracle = trace, network, oracle
        self._luck = chance.stream(f"host {name}")
        self.entropy = chance.stream(f"entropy {name}").randbytes
        self.directory = room / name
        self.directory.mkdir(mode=0o700)
        self.identity = Identity(chance.secret(f"key {name}"), chance.secret(f"seal {name}"))
        self.node_id = self.identity.node_id
        self.faults = Faults()
        self.skew = 0.0
        # The latest time that this clock ever showed: no trusted time of the host's can be later.
        self.latest = 0.0
        self.ports = HostPorts(self.faults, self.clock, self._acted)
        self.ports.host_files.put("/srv", Node("directory", 0o755, 0, 0))
        self.key = ""
        self.quorum = 1
        self.doing: Offer | None = None
        self.core: Core | None = None
        self.words = LastWords()
        self.silent = False
        self.lives = 0
        self._ends: list[float] = []
        self.gone = False
        self._scope = trio.CancelScope()
        self._stopping = trio.Event()

    @property
    def luck(self) -> Random:
        """The host's own luck."""
        return self._luck

    def clock(self) -> float:
        """Return what this host takes for the time."""
        now = EPOCH + trio.current_time() + self.skew
        self.latest = max(self.latest, now)
        return now

    def _acted(self, what: str) -> None:
        self.oracle.acted(self, what)

    def held_roster(self) -> Roster | None:
        """Return the roster that the agent goes by."""
        held = None if self.core is None else self.core.trust.roster
        return None if held is None else held.roster

    def ask_two(self) -> None:
        """Write a policy that wants two signatures."""
        self.quorum = 2
        text = '[capabilities."state.apply"]\nquorum = 2\n'
        (self.directory / "policy.toml").write_text(text)

    def clone(self, name: str, room: Path) -> SimHost:
        """Return another machine with a copy of this one's disk."""
        other = SimHost(name, self._chance, self._trace, self._network, self.oracle, room)
        shutil.copytree(self.directory, other.directory, dirs_exist_ok=True)
        other.identity, other.node_id = self.identity, self.node_id
        other.key, other.quorum, other.skew = self.key, self.quorum, self.skew
        other.ports.host_files.nodes = deepcopy(self.ports.host_files.nodes)
        other.ports.host_programs.ran = dict(self.ports.host_programs.ran)
        return other

    def ended_after(self, at: float) -> bool:
        """Say whether an agent of this machine ended within moments of a time."""
        return any(at <= end <= at + MOMENTS for end in self._ends)

    def kill(self, *, silent: bool = False) -> None:
        """End the agent at once; `silent`: with the whole machine, so that nobody is told."""
        self.silent = silent
        self.faults.dead = True
        self._scope.cancel()

    def stop(self) -> None:
        """Ask the agent to end in good order."""
        self._stopping.set()

    async def live(self) -> None:
        """Run agents one after the other until the machine is gone."""
        while not self.gone:
            await self._one_life()
            await trio.sleep(self._luck.choice((0.1, 1.0, 5.0, 30.0)))

    async def _one_life(self) -> None:
        self.faults.dead, self.silent = False, False
        self._stopping = trio.Event()
        database: CrashingDatabase | None = None
        self.lives += 1
        self._trace.note("start", self.name)
        try:
            database = CrashingDatabase(self.directory, self.faults)
            core = self._boot(database)
            await self._run(core)
        except* Crash:
            self._trace.note("crash", self.name)
        except* StandfastError as group:
            if not isinstance(group.exceptions[0], StorageError):
                self._trace.violation("I0", f"{self.name} does not start: {group.exceptions[0]}")
        finally:
            self.faults.dead = True
            self._ends.append(trio.current_time())
            self.core, self.doing = None, None
            if database is not None:
                database.close()

    def _boot(self, database: CrashingDatabase) -> Core:
        config = AgentConfig(
            state_dir=str(self.directory),
            policy_file=str(self.directory / "policy.toml"),
            enrolment_key=self.key,
            hostname=self.name,
        )
        core = Core(
            config,
            self.identity,
            database,
            clock=self.clock,
            log=Log(self.clock, "info", self.words),
            inline=True,
            entropy=self.entropy,
        )
        core.enrol_from_config()
        engine = WatchedEngine(
            self.directory,
            b"fingerprint",
            clock=self.clock,
            programs_cancelled=lambda: False,
            secrets=core.secrets,
        )
        engine.watch(self, self.oracle)
        core.steps.engine = engine
        return core

    async def _run(self, core: Core) -> None:
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            self.core = core
            core.attach()
            nursery.start_soon(self._end, core, nursery.cancel_scope)
            nursery.start_soon(link.run, core, self._luck.random, self._connect)
            nursery.start_soon(reconcile.run, core, lambda: None)
            nursery.start_soon(drift.run, core, no_watch)

    async def _end(self, core: Core, scope: trio.CancelScope) -> None:
        await self._stopping.wait()
        await core.steps.stop(STOP_SECONDS)
        scope.cancel()

    def _connect(self, _url: str, _fingerprint: str) -> AbstractAsyncContextManager[Frames]:
        vanish: Callable[[], bool] = lambda: self.silent  # noqa: E731 - it has a type this way
        return self._network.connect(self.name, vanish)

    def within_bounds(self) -> str | None:
        """Return which of the agent's bounds does not hold, or None."""
        core = self.core
        if core is None or self.faults.dead:
            return None
        used = sum(len(one.body) for one in core.journal.after(0))
        if used > DEFAULT_LIMIT + NOTE_MARGIN:
            return f"{used} bytes of journal"
        size = sum(one.stat().st_size for one in self.directory.iterdir() if one.is_file())
        return f"{size} bytes of state" if size > 64 * 1_048_576 else None
