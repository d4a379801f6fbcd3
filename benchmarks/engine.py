"""How fast a look at many converged files is, beside plain loops over the same files.

Run as `python -m benchmarks.engine`; prints one JSON object. With `--peers` the same work also goes
through other tools (`benchmarks.engine_peers`), which are installed for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.rows import row
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot

ROUNDS = 7
# The stat cache trusts a file only some time after its last change (`host.stat_cache`).
SETTLE_S = 0.1


def main() -> None:
    rows: list[dict[str, object]] = []
    for count in (1_000, 10_000):
        with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
            rows += measure(Path(name).resolve(), count)
    if "--peers" in sys.argv[1:]:
        from benchmarks import engine_peers

        rows += engine_peers.main()
    print(json.dumps({"bench": "engine", "machine": machine(), "rows": rows}))


def measure(root: Path, count: int) -> list[dict[str, object]]:
    resources = make_resources(root / "files", count)
    (root / "files").mkdir()
    ports = LinuxPorts(root / "state", b"k" * 32)
    begun = time.perf_counter()
    outcome = apply_plan("first", "node", resources, Snapshot(), ports, approved=None)
    first = time.perf_counter() - begun
    assert outcome.result.status == "succeeded", outcome.result
    snapshot = outcome.snapshot
    time.sleep(SETTLE_S)
    paths = [resource.identity for resource in resources]
    writing = median(lambda: plain_write(root / "plain", count), 1)
    reading = median(lambda: plain_read(paths))
    looking = median(lambda: plain_lstat(paths))
    cold = median(lambda: must_be_empty(resources, snapshot, LinuxPorts(root / "state", b"k" * 32)))
    must_be_empty(resources, snapshot, ports)
    warm = median(lambda: must_be_empty(resources, snapshot, ports))
    drift = median(lambda: find_drift(snapshot, ports))
    noop = median(
        lambda: apply_plan("again", "node", resources, snapshot, ports, approved=frozenset())
    )
    write, read, lstat = (
        f"plain write + fsync + rename, {count} files",
        f"plain read + sha256, {count} files",
        f"plain lstat, {count} files",
    )
    return [
        row(write, writing),
        row(read, reading),
        row(lstat, looking),
        row(f"first apply, {count} files", first, writing, write),
        row(f"plan, {count} files, cold, all hashed", cold, reading, read),
        row(f"plan, {count} files, warm", warm, looking, lstat),
        row(f"drift, {count} files, warm", drift, looking, lstat),
        row(f"apply, {count} files, nothing to do", noop, looking, lstat),
    ]


def make_resources(root: Path, count: int) -> list[ResolvedResource]:
    return [
        ResolvedResource(
            module="bench",
            kind="file-unix",
            identity=str(root / f"file-{number:05}"),
            spec={
                "path": str(root / f"file-{number:05}"),
                "content": f"{number:05}\n" + "x" * 1_017 + "\n",
                "owner": "root" if os.geteuid() == 0 else str(os.geteuid()),
                "mode": "0644",
            },
            id=f"f{number}",
        )
        for number in range(count)
    ]


def must_be_empty(resources: list[ResolvedResource], snapshot: Snapshot, ports: LinuxPorts) -> None:
    plan = make_plan("node", resources, snapshot, ports)
    assert plan.summary.none == len(resources), plan.summary


def plain_lstat(paths: list[str]) -> None:
    for path in paths:
        os.lstat(path)


def plain_read(paths: list[str]) -> None:
    for path in paths:
        with open(path, "rb") as file:  # noqa: PTH123 - the plainest loop is the measure
            hashlib.sha256(file.read()).hexdigest()


def plain_write(root: Path, count: int) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    content = b"x" * 1_024
    for number in range(count):
        temporary, target = root / f"t{number}", root / f"f{number}"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)


def median(function: Callable[[], object], rounds: int = ROUNDS) -> float:
    times: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    main()
