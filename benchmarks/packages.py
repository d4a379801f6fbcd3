"""How fast a look at installed packages is, beside asking dpkg for each of them.

Needs a Debian. Run as `python -m benchmarks.packages`; prints one JSON object.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.rows import row
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot

ROUNDS = 11
PACKAGES = 20


def main() -> None:
    rows: list[dict[str, object]] = []
    if shutil.which("dpkg-query") is None:
        print("there is no dpkg on this machine: nothing to measure", file=sys.stderr)
    else:
        with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
            rows = measure(Path(name).resolve())
    print(json.dumps({"bench": "packages", "machine": machine(), "rows": rows}))


def measure(state: Path) -> list[dict[str, object]]:
    names = installed()[:PACKAGES]
    resources = [
        ResolvedResource(module="bench", kind="package-apt", identity=name, spec={"name": name})
        for name in names
    ]
    ports = LinuxPorts(state, b"k" * 32)
    asking = median(lambda: ask_each(names))
    asking_once = median(lambda: dpkg_query(*names))
    cold = median(lambda: must_be_empty(resources, LinuxPorts(state, b"k" * 32)))
    must_be_empty(resources, ports)
    warm = median(lambda: must_be_empty(resources, ports))
    each = f"{len(names)} dpkg-query calls: {asking * 1000:.3f} ms"
    once = f"one dpkg-query call: {asking_once * 1000:.3f} ms"
    return [
        row(f"plan, {len(names)} packages, status file not read yet", cold, asking, each),
        row(f"plan, {len(names)} packages, status file not read yet", cold, asking_once, once),
        row(f"plan, {len(names)} packages, warm", warm, asking, each),
    ]


def installed() -> list[str]:
    shown = dpkg_query("--showformat=${Package} ${db:Status-Status}\\n")
    lines = [line.split() for line in shown.splitlines()]
    return [words[0] for words in lines if words[-1] == "installed"]


def ask_each(names: list[str]) -> None:
    for name in names:
        dpkg_query(name)


def dpkg_query(*arguments: str) -> str:
    argv = ["dpkg-query", "--show", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def must_be_empty(resources: list[ResolvedResource], ports: LinuxPorts) -> None:
    plan = make_plan("node", resources, Snapshot(), ports)
    assert plan.summary.none == len(resources), plan.summary


def median(function: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    main()
