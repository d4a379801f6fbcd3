"""What happens to a fleet in a run: work of its operators, and everything that can go wrong.

Sleeps here are virtual: a run is under trio's MockClock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import trio

from protocol import api
from tests.simulation.centre import Centre
from tests.simulation.chance import Chance, happens
from tests.simulation.desk import Desk, Mood
from tests.simulation.hostile import Hostile
from tests.simulation.hosts import SimHost
from tests.simulation.network import Network, Route
from tests.simulation.oracle import Oracle
from tests.simulation.trace import Trace

# Mostly small fleets, which find what large ones find, and sooner.
SIZES = (3, 3, 3, 4, 4, 5, 6, 8, 12, 20)
MOODS: tuple[Mood, ...] = (
    "yes", "yes", "yes", "no", "hurried", "late", "cancel", "revoke", "forget", "alone",
)  # fmt: skip
# Virtual seconds between two things that happen, on average.
PAUSE = 6.0


class Fleet:
    """The machines of a run, and the parts that they share."""

    def __init__(self, chance: Chance, trace: Trace, room: Path, template: Path) -> None:
        self.chance, self.trace, self.room = chance, trace, room
        self.network = Network(trace)
        self.oracle = Oracle(trace)
        self.centre = Centre(chance, trace, self.network, room, template)
        self.desk = Desk(chance, trace, self.centre, self.oracle)
        self.hostile = Hostile(chance, trace, self.centre.identity)
        self.network.saw, self.network.heard = self.hostile.saw, self._heard
        # Hosts that were shown two histories, and when.
        self.shown: list[tuple[SimHost, float]] = []
        self.hosts: list[SimHost] = []
        self.clones: list[SimHost] = []

    @property
    def machines(self) -> list[SimHost]:
        """Every machine that runs, copies too."""
        return [*self.hosts, *self.clones]

    def _heard(self, name: str, frame: bytes) -> None:
        forged = self.hostile.forged.get(frame)
        host = next(one for one in self.machines if one.name == name)
        held = None if host.core is None else host.core.audit_heads.newest()
        if forged is None or held is None or host.faults.full or host.faults.failing:
            return
        if forged.seq == held.seq and forged.hash != held.hash:
            self.shown.append((host, trio.current_time()))

    def route(self, host: SimHost, number: int) -> None:
        """Give a machine its way to the coordinator."""
        luck = self.chance.stream(f"route {host.name}")
        self.network.routes[host.name] = Route(f"192.0.2.{number}", luck)

    def addresses(self) -> dict[str, str]:
        """Return the true address of each host."""
        return {host.node_id: self.network.routes[host.name].address for host in self.hosts}


class Workload:
    """Draws what happens next, again and again."""

    def __init__(self, fleet: Fleet, nursery: trio.Nursery) -> None:
        self._fleet = fleet
        self._tasks = nursery
        self.luck: Random = fleet.chance.stream("workload")
        self.size = self.luck.choice(SIZES)
        self.steps = self.luck.randint(15, 40)
        # Of all that can go wrong, some in each run: with everything at once nothing gets done.
        self._faults = {name for name in self.faults() if happens(self.luck, 0.45)}
        fleet.hostile.on = happens(self.luck, 0.4)
        self._two = happens(self.luck, 0.25)
        if self._two:
            fleet.desk.most = 2

    def work(self) -> Mapping[str, Callable[[], None]]:
        """What operators and users do, by name."""
        return {
            "enrol": self._enrol, "approve": self._approve, "tag": self._tag,
            "upload": self._upload, "change": self._change, "change more": self._change,
            "change again": self._change, "approve again": self._approve,
            "look": self._look, "drift": self._drift, "roster": self._fleet.desk.renew_roster,
        }  # fmt: skip

    def faults(self) -> Mapping[str, Callable[[], None]]:
        """What goes wrong, by name."""
        return {
            "crash": self._crash, "crash inside": self._crash_inside, "restart": self._restart,
            "coordinator": self._coordinator, "coordinator inside": self._coordinator_inside,
            "cut": self._cut, "partition": self._partition, "slow": self._slow,
            "full": self._full, "sync": self._sync, "clock": self._clock, "clone": self._clone,
            "coordinator disk": self._coordinator_disk, "torn script": self._torn_script,
        }  # fmt: skip

    async def run(self) -> None:
        """Let things happen until the run's number of them is reached."""
        for _ in range(3):
            self._enrol()
        await trio.sleep(PAUSE)
        self._approve()
        work, faults = self.work(), self.faults()
        broken = [faults[name] for name in sorted(self._faults)]
        calm = self.luck.randint(2, 8)
        for step in range(self.steps):
            await trio.sleep(self.luck.expovariate(1.0 / PAUSE))
            if step > calm and broken and happens(self.luck, 0.35):
                self.luck.choice(broken)()
            else:
                self.luck.choice(list(work.values()))()
            if self._fleet.hostile.on and happens(self.luck, 0.5):
                self._lie()

    def _host(self) -> SimHost:
        return self.luck.choice(self._fleet.machines)

    def _enrol(self) -> None:
        fleet = self._fleet
        number = len(fleet.hosts) + 1
        if number > self.size:
            return
        key = fleet.desk.enrolment_key(approve=happens(self.luck, 0.5))
        if key is None:
            return
        host = SimHost(
            f"host{number}", fleet.chance, fleet.trace, fleet.network, fleet.oracle, fleet.room
        )
        host.key = key
        if self._two and happens(self.luck, 0.5):
            host.ask_two()
        fleet.route(host, number)
        fleet.hosts.append(host)
        self._tasks.start_soon(host.live)

    def _approve(self) -> None:
        self._fleet.desk.approve({host.node_id: host.name for host in self._fleet.hosts})

    def _tag(self) -> None:
        self._fleet.desk.tag(self.luck.choice(self._fleet.hosts).node_id, str(self.luck.random()))

    def _upload(self) -> None:
        self._fleet.desk.upload()

    def _change(self) -> None:
        hosts = self._fleet.hosts
        if happens(self.luck, 0.5):
            hosts = self.luck.sample(hosts, self.luck.randint(1, len(hosts)))
        mood = self.luck.choice(MOODS)
        if mood == "hurried" and "crash inside" in self._faults:
            # So that one of them comes back when it is too late.
            self.luck.choice(hosts).faults.crash_in = self.luck.randint(3, 12)
        self._tasks.start_soon(self._fleet.desk.change, [host.node_id for host in hosts], mood)

    def _look(self) -> None:
        step = self.luck.choice(("state.plan", "state.drift"))
        nodes = (self.luck.choice(self._fleet.hosts).node_id,)
        names = ("site",) if step == "state.plan" else ()
        request = api.RunRequest("state.plan", nodes, modules=names)
        if step == "state.drift":
            request = api.RunRequest("state.drift", nodes)
        self._fleet.desk.start(request)

    def _drift(self) -> None:
        host = self._host()
        files = host.ports.host_files
        paths = [path for path, node in files.nodes.items() if node.kind == "file"]
        if not paths:
            return
        path = self.luck.choice(paths)
        if happens(self.luck, 0.3):
            del files.nodes[path]
        else:
            files.nodes[path].content = self.luck.randbytes(4)
            files.touch(path)
        self._fleet.trace.note("changed", host.name, path)

    def _crash(self) -> None:
        self._host().kill(silent=happens(self.luck, 0.5))

    def _crash_inside(self) -> None:
        self._host().faults.crash_in = self.luck.choice((1, 2, 3, 4, 5, 8, 12, 20, 30))

    def _torn_script(self) -> None:
        self._host().faults.tearing = True

    def _restart(self) -> None:
        self._host().stop()

    def _coordinator(self) -> None:
        self._fleet.centre.kill()

    def _coordinator_inside(self) -> None:
        self._fleet.centre.faults.crash_in = self.luck.randint(1, 40)

    def _coordinator_disk(self) -> None:
        faults = self._fleet.centre.faults
        if happens(self.luck, 0.5):
            faults.failing = self.luck.randint(1, 3)
            return
        faults.full = True
        self._tasks.start_soon(self._later, 20.0, lambda: setattr(faults, "full", False))

    def _cut(self) -> None:
        for connection in self._fleet.network.of(self._host().name):
            half = self.luck.random()
            if half < 0.5:
                connection.cut()
            elif half < 0.75:
                connection.up.cut()
            else:
                connection.down.cut()

    def _partition(self) -> None:
        count = self.luck.randint(1, len(self._fleet.machines))
        sides = self.luck.choice((("up", "down"), ("up", "down"), ("up",), ("down",)))
        until = trio.current_time() + self.luck.choice((2.0, 10.0, 60.0, 150.0))
        for host in self.luck.sample(self._fleet.machines, count):
            for side in sides:
                self._fleet.network.routes[host.name].closed[side] = until
        self._fleet.trace.note("partition", count, *sides, until)

    def _slow(self) -> None:
        route = self._fleet.network.routes[self._host().name]
        route.drag = self.luck.choice((0.0, 1.0, 8.0))

    def _full(self) -> None:
        faults = self._host().faults
        faults.full = True
        after = self.luck.choice((5.0, 60.0))
        self._tasks.start_soon(self._later, after, lambda: setattr(faults, "full", False))

    def _sync(self) -> None:
        self._host().faults.failing = self.luck.randint(1, 4)

    def _clock(self) -> None:
        if happens(self.luck, 0.2):
            self._fleet.centre.skew += self.luck.choice((-120.0, -30.0, 30.0, 120.0))
            return
        host = self._host()
        host.skew = self.luck.choice((0.0, -30.0, 50.0, 300.0, -3_600.0, 86_400.0, -86_400.0))
        self._fleet.trace.note("clock", host.name, host.skew)

    def _clone(self) -> None:
        fleet = self._fleet
        if len(fleet.clones) >= 2 or not fleet.hosts:
            return
        host = self.luck.choice(fleet.hosts)
        number = 100 + len(fleet.clones)
        copy = host.clone(f"{host.name}copy{number}", fleet.room)
        fleet.route(copy, number)
        fleet.clones.append(copy)
        fleet.trace.note("clone", host.name)
        self._tasks.start_soon(copy.live)

    def _lie(self) -> None:
        connections = self._fleet.network.connections
        for connection in connections:
            for _ in range(self.luck.randint(0, 3)):
                self._fleet.hostile.lie(connection)

    async def _later(self, seconds: float, what: Callable[[], None]) -> None:
        await trio.sleep(seconds)
        what()
