"""The coordinator of a run: real links, domain and store, started again whenever it ends.

Sleeps here are virtual: a run is under trio's MockClock.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import trio

from coordinator import audit_keeper, sweeper
from coordinator.config import CoordinatorConfig
from coordinator.context import App
from coordinator.domain import approving
from coordinator.hub import Hub
from coordinator.link import serve
from coordinator.links import Links
from coordinator.store import settings
from coordinator.store.connecting import StoreUnusableError
from coordinator.store.database import Job, Store, Tx
from protocol.keys import SigningKey
from tests.simulation.chance import Chance
from tests.simulation.disks import Crash, Faults
from tests.simulation.hosts import EPOCH
from tests.simulation.network import CoordinatorEnd, Network
from tests.simulation.trace import Trace

T = TypeVar("T")
FILE = "coordinator.db"
# Connections that wait to be taken: the kernel's own queue has room for 128.
BACKLOG = 128


class CrashingStore(Store):
    """A store on a disk with faults; `faults` is set before the first job."""

    faults: Faults

    def write_now(self, job: Job[T]) -> T:
        """Run a job, or let the disk or the process fail before or after its commit."""
        faults = self.faults
        faults.point()
        if faults.full:
            raise StoreUnusableError("the database cannot be used now: database or disk is full")
        failing = faults.sync_fails()

        def watched(tx: Tx) -> T:
            answer = job(tx)
            if failing:
                raise StoreUnusableError("the database cannot be used now: disk I/O error")
            return answer

        answer = super().write_now(watched)
        faults.point()
        return answer

    def read_now(self, job: Job[T]) -> T:
        """Run a job that reads, unless the process is over."""
        if self.faults.dead:
            raise Crash
        return super().read_now(job)

    def shut(self) -> None:
        """Let go of the file, as the end of a process does."""
        self._read_engine.dispose()
        self._engine.dispose()


def prepare(directory: Path) -> None:
    """Make an empty database, once for all runs of this process."""
    store = Store.open(f"sqlite:///{directory / FILE}", clock=lambda: EPOCH, inline=True)
    store.read_now(lambda _tx: None)
    store._engine.dispose()


class Centre:
    """The coordinator's machine; `app` is what runs on it now, or None."""

    def __init__(
        self, chance: Chance, trace: Trace, network: Network, room: Path, template: Path
    ) -> None:
        self._trace, self._network = trace, network
        self.luck: Random = chance.stream("centre")
        self._entropy = chance.stream("centre entropy").randbytes
        self.identity = SigningKey(chance.secret("coordinator"))
        self.directory = room / "coordinator"
        self.directory.mkdir()
        shutil.copy(template / FILE, self.directory / FILE)
        self.faults = Faults()
        self.skew = 0.0
        self.app: App | None = None
        self.lives = 0
        self.begun = trio.Event()
        self._scope = trio.CancelScope()

    def clock(self) -> float:
        """Return what the coordinator takes for the time."""
        return EPOCH + trio.current_time() + self.skew

    def kill(self) -> None:
        """End the coordinator at once."""
        self.faults.dead = True
        self._scope.cancel()

    def call(self, job: Callable[[Tx], T]) -> T | None:
        """Do what an API call would; None if the coordinator is down or its disk is faulty."""
        app = self.app
        if app is None or self.faults.dead:
            return None
        try:
            return app.store.write_now(job)
        except StoreUnusableError:
            return None
        except Crash:
            self.kill()
            return None

    async def live(self, begun: Callable[[Tx], None]) -> None:
        """Run coordinators one after the other; `begun` fills the database of the first."""
        job: Callable[[Tx], None] | None = begun
        while True:
            await self._one_life(job)
            job = None
            await trio.sleep(self.luck.choice((0.1, 2.0, 20.0)))

    async def _one_life(self, begun: Callable[[Tx], None] | None) -> None:
        self.faults.dead = False
        self.lives += 1
        self._trace.note("start", "coordinator")
        hub = Hub()
        store = CrashingStore.open(
            f"sqlite:///{self.directory / FILE}",
            clock=self.clock,
            inline=True,
            artifacts=self.directory / "artifacts",
            on_commit=hub.wake,
            entropy=self._entropy,
        )
        assert isinstance(store, CrashingStore)
        store.faults = self.faults
        try:
            public = self.identity.public.hex()
            if begun is not None:
                store.write_now(lambda tx: settings.put(tx, approving.KEY_SETTING, public))
                store.write_now(begun)
            await self._run(App(store, hub, self.identity, CONFIG, self.clock, "", Links()))
        except* Crash:
            self._trace.note("crash", "coordinator")
        finally:
            self.faults.dead = True
            self.app = self._network.listener = None
            for connection in list(self._network.connections):
                connection.cut()
            store.shut()

    async def _run(self, app: App) -> None:
        knocks, queue = trio.open_memory_channel[CoordinatorEnd](BACKLOG)
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            self.app = app
            self._network.listener = knocks.send_nowait
            self.begun.set()
            nursery.start_soon(sweeper.sweep, app)
            nursery.start_soon(audit_keeper.keep, app)
            async for socket in queue:
                nursery.start_soon(_serve, app, socket)


CONFIG = CoordinatorConfig(advertised_urls=("http://coordinator.example:4748",))


async def _serve(app: App, socket: CoordinatorEnd) -> None:
    try:
        await serve(app, socket)
    finally:
        socket.connection.down.add(None)
        socket.connection.up.cut()
