"""From a write to a managed file to its drift record at the coordinator, as the API shows it.

Real processes on one machine: a coordinator, an agent, and an operator who asks again and again.
The floor beside it, in the same run: a bare inotify watcher that sees a write in its own process,
and one question to the API, since the answer cannot come sooner than a question takes.

Run as `python -m benchmarks.drift`; prints one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent import inotify
from benchmarks.machine import machine
from client.session import Session, Settings
from devtools.local_fleet import LocalFleet, wait_for, wall_clock
from protocol.reports import DriftRecord

ROUNDS = 100
FILES = 50
NODE = "bench"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as name:
        rows = measure(Path(name).resolve())
    print(json.dumps({"bench": "drift", "machine": machine(), "rows": rows}))


def measure(root: Path) -> list[dict[str, object]]:
    with LocalFleet(root / "fleet") as fleet:
        fleet.make_operator()
        fleet.init_coordinator()
        fleet.start_coordinator()
        fleet.make_profile()
        fleet.start_agent("agent", fleet.make_enrolment_key())
        node = fleet.approve_first_pending(NODE)
        files = apply_files(fleet, root)
        session = Session(Settings(config_dir=str(root / "fleet" / "operator")))
        try:
            return rounds(session, node, files, root)
        finally:
            session.close()


def apply_files(fleet: LocalFleet, root: Path) -> list[Path]:
    folder = root / "files"
    folder.mkdir()
    files = [folder / f"{index}.conf" for index in range(FILES)]
    resources = "".join(
        f"  - resource:\n      file-unix: {{path: {path}, mode: '0644', content: 'as desired'}}\n"
        for path in files
    )
    module = root / "bench.ordo.yaml"
    head = "name: bench\nsupports:\n  - platform: linux\nresources:\n"
    module.write_text(head + resources, encoding="utf-8")
    fleet.cli("state", "upload", str(module))
    fleet.cli("state", "apply", NODE, "--module", "bench", "--yes")
    return files


def rounds(session: Session, node: str, files: list[Path], root: Path) -> list[dict[str, object]]:
    seen: list[float] = []
    shown: list[float] = []
    asked: list[float] = []

    def latest(status: str, after: float) -> Callable[[], DriftRecord | None]:
        def look() -> DriftRecord | None:
            begun = time.perf_counter()
            records = session.api.drift_records(node, 1, None)
            asked.append((time.perf_counter() - begun) * 1000)
            fresh = [r for r in records if r.status == status and r.checked_at >= after]
            return fresh[0] if fresh else None

        return look

    for index in range(ROUNDS):
        path = files[index % len(files)]
        moment = wall_clock()
        path.write_text("changed behind its back", encoding="utf-8")
        record = wait_for("drift", latest("drifted", moment))
        shown.append((wall_clock() - moment) * 1000)
        seen.append((record.checked_at - moment) * 1000)
        moment = wall_clock()
        path.write_text("as desired", encoding="utf-8")
        wait_for("being in sync again", latest("in_sync", moment))
        print(f"round {index + 1}: {shown[-1]:.1f} ms", file=sys.stderr)
    floor = bare_inotify(root)
    return [
        row("bare inotify, p50", quantile(floor, 50)),
        row("one question to the API, p50", quantile(asked, 50)),
        row("seen by the agent, p50", quantile(seen, 50), quantile(floor, 50)),
        row("seen by the agent, p99", quantile(seen, 99), quantile(floor, 50)),
        row("shown by the coordinator, p50", quantile(shown, 50), quantile(floor, 50)),
        row("shown by the coordinator, p99", quantile(shown, 99), quantile(floor, 50)),
    ]


def bare_inotify(root: Path) -> list[float]:
    folder = root / "floor"
    folder.mkdir()
    watcher = inotify.Inotify()
    watcher.add(str(folder), inotify.ENTRIES)
    times: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        (folder / "file").write_text("changed", encoding="utf-8")
        # Asked without a pause: the floor must not hold a sleep of ours.
        while not watcher.read():
            pass
        times.append((time.perf_counter() - begun) * 1000)
    return times


def quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def row(name: str, value: float, floor: float | None = None) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": "ms",
        "ratio": None if floor is None else round(value / floor, 1),
        "ratio_to": None if floor is None else "bare inotify, p50",
    }


if __name__ == "__main__":
    main()
