"""What an idle agent costs: memory, processor time, wake-ups and threads, beside a bare Python.

The agent is a real process with a link to a coordinator (the tests' fake one, in this process)
and one managed file. Run as `python -m benchmarks.footprint [SECONDS]`; prints one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import trio

from agent import identity
from benchmarks.machine import machine
from protocol.keys import SigningKey
from protocol.messages import Finished, Offer
from protocol.reports import PlanResult
from tests.fakes.agent_process import agent
from tests.fakes.coordinator import FakeCoordinator
from tests.fakes.operators import Approval, Operator, first_roster, module
from tests.fakes.sites import site

SECONDS = 20.0
# A thread that did work lingers for 10 s before it ends; measure after that.
SETTLE = 12.0
BARE = "import sys; print(flush=True); sys.stdin.read()"

Row = dict[str, object]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        rows = trio.run(measure, Path(name).resolve(), seconds)
    print(json.dumps({"bench": "footprint", "machine": machine(), "rows": rows}))


async def measure(root: Path, seconds: float) -> list[Row]:
    operator = Operator()
    coordinator = FakeCoordinator(SigningKey.generate(), [first_roster(operator)])
    with subprocess.Popen(  # noqa: ASYNC220 - started before anything is measured
        [sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as bare:
        assert bare.stdout is not None
        bare.stdout.readline()
        async with coordinator.running():
            key = coordinator.enrolment_key()
            async with agent(root / "state", "--enrolment-key", key) as process:
                await coordinator.until(lambda: bool(coordinator.facts))
                rows = idle(process.pid, bare.pid, "enrolled")
                await manage(coordinator, operator, root)
                await trio.sleep(SETTLE)
                before = activity(process.pid)
                await trio.sleep(seconds)
                after = activity(process.pid)
                rows += idle(process.pid, bare.pid, "managing one file")
        bare.kill()
    per = {name: (after[name] - before[name]) / seconds for name in before}
    return [
        *rows,
        {"name": "processor time idle", "value": round(per["cpu"] * 100, 4), "unit": "% of a core"},
        {"name": "wake-ups idle", "value": round(per["switches"] * 60, 2), "unit": "per minute"},
    ]


async def manage(coordinator: FakeCoordinator, operator: Operator, root: Path) -> None:
    """Plan, approve and apply one file, so that the engine is loaded and a watch is set."""
    version = module("site", site(root), operator)
    own = identity.load(root / "state")
    assert own is not None
    await coordinator.send(Offer("plan", "state.plan", "l", 1, "op", (version,)))
    await coordinator.until(lambda: len(coordinator.bodies(Finished)) == 1)
    done = coordinator.bodies(Finished)[0]
    assert done.artifact is not None
    plan = msgspec.json.decode(coordinator.document(done.artifact), type=PlanResult)
    digests = tuple(item.digest for item in plan.resources)
    now = (root / "state/agent.db").stat().st_mtime
    approval = Approval(own.node_id, (version,), digests, now)
    await coordinator.send(approval.signed(operator))
    await coordinator.until(lambda: len(coordinator.bodies(Finished)) == 2)
    assert coordinator.bodies(Finished)[1].outcome == "succeeded"


def idle(pid: int, bare: int, when: str) -> list[Row]:
    """Memory and threads of the agent beside those of a Python that does nothing."""
    rows: list[Row] = []
    mine, floor = memory(pid), memory(bare)
    for name in ("Pss", "Rss", "Pss_Anon"):
        base = f"bare python {name}"
        row = {"name": f"{name} {when}", "value": mine[name], "unit": "KiB"}
        rows += [
            {**row, "ratio": round(mine[name] / floor[name], 2), "ratio_to": base},
            {"name": f"{base} ({when})", "value": floor[name], "unit": "KiB"},
        ]
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    return [*rows, {"name": f"threads {when}", "value": threads, "unit": "threads"}]


def memory(pid: int) -> dict[str, int]:
    """The kernel's own sums, in KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def activity(pid: int) -> dict[str, float]:
    """Processor seconds so far, and how often any thread gave up the processor to wait."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    switches = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text(encoding="ascii").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                switches += int(line.split()[1])
    return {"cpu": ticks / os.sysconf("SC_CLK_TCK"), "switches": float(switches)}


if __name__ == "__main__":
    main()
