"""`./dev up`: the main job on this machine, step by step, with real processes and a real drift.

Each step says what it did; a step that does not hold ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from devtools.local_fleet import ROOT, FleetError, LocalFleet, field, rows, wait_for, wall_clock

MARKER = ".made-by-dev-up"
EXAMPLE = ROOT / "examples" / "01-hello-site.ordo.yaml"
MODULE = "hello-site"
NODE = "first"


def main() -> int:
    """Walk through the main job; stay until Ctrl-C unless told to leave."""
    parser = argparse.ArgumentParser(prog="./dev up", description=main.__doc__)
    parser.add_argument("--exit", action="store_true", help="leave with 0 if all of it held")
    parser.add_argument("--dir", type=Path, default=ROOT / ".standfast" / "up", metavar="DIR")
    parser.add_argument("--port", type=int, default=4748, help="API port; another if it is taken")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    directory: Path = arguments.dir.resolve()
    try:
        _walk(directory, arguments.port, stay=not arguments.exit)
    except FleetError as error:
        print(f"\n✗ {error}", file=sys.stderr)
        for log in sorted(directory.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; everything of it lies in", directory)
        return 0 if not arguments.exit else 130
    return 0


def _walk(directory: Path, port: int, *, stay: bool) -> None:
    _fresh(directory)
    with LocalFleet(directory, port=port) as fleet:
        Walk(fleet).all()
        if stay:
            _what_next(fleet)
            threading.Event().wait()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _fresh(directory: Path) -> None:
    """Begin anew, deleting only what an earlier run of ours made."""
    if directory.exists():
        if any(directory.iterdir()) and not (directory / MARKER).exists():
            raise FleetError(f"{directory} holds something that ./dev up did not make; use --dir")
        shutil.rmtree(directory)
    directory.mkdir(parents=True, mode=0o700)
    (directory / MARKER).touch()


class Walk:
    """The steps, in order; each prints one line, and the plan and the drift in full."""

    def __init__(self, fleet: LocalFleet) -> None:
        self.fleet = fleet
        self.sandbox = fleet.directory / "srv"
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """Print one step with the time since the start."""
        print(f"✓ {time.monotonic() - self.began:5.1f} s  {text}", flush=True)

    def all(self) -> None:
        """Do every step.

        Raises:
            FleetError: one did not hold.
        """
        self.start()
        self.enrol()
        self.apply()
        self.drift()

    def start(self) -> None:
        """Make an operator and start the coordinator."""
        fleet = self.fleet
        fleet.make_operator("operator")
        self.say("operator key and roster made")
        fleet.init_coordinator()
        fleet.start_coordinator()
        fleet.make_profile()
        self.say(f"coordinator answers at {fleet.url}")

    def enrol(self) -> None:
        """Start an agent with an enrolment key and approve it."""
        fleet = self.fleet
        fleet.start_agent("agent", fleet.make_enrolment_key())
        node = fleet.approve_first_pending(NODE)
        self.say(f"agent enrolled and approved as {NODE} ({node})")

    def apply(self) -> None:
        """Upload the example, show its plan, sign and apply it, and see that nothing is left."""
        fleet = self.fleet
        self.sandbox.mkdir()
        module = fleet.directory / EXAMPLE.name
        module.write_text(EXAMPLE.read_text().replace("/srv/", f"{self.sandbox}/"))
        fleet.cli("state", "upload", str(module))
        self.say(f"module {MODULE} signed and uploaded, its paths inside {self.sandbox}")
        print(fleet.cli("state", "plan", NODE, "--module", MODULE), end="", flush=True)
        fleet.cli("state", "apply", NODE, "--module", MODULE, "--yes")
        page = self.sandbox / MODULE / "index.html"
        if not page.is_file():
            raise FleetError(f"the apply said that it succeeded, and {page} is not there")
        self.say("plan signed, applied and reported")
        pending = ["state", "plan", NODE, "--module", MODULE, "--detailed-exitcode"]
        fleet.cli(*pending)
        self.say("a second plan is empty")

    def drift(self) -> None:
        """Change a managed file behind the agent's back, show when that was seen, and repair it."""
        fleet = self.fleet
        target = self.sandbox / MODULE / "site.conf"
        before = wall_clock()
        with target.open("a") as file:
            file.write("workers 400\n")
        record = wait_for("the drift record", lambda: self.drift_since(before))
        seen = float(str(field(record, "checked_at"))) - before
        self.say(f"{target.name} changed by hand: seen by the agent after {seen * 1000:.0f} ms")
        print(fleet.cli("state", "drift-list", "--agent", NODE), end="", flush=True)
        print(fleet.cli("why", NODE), end="", flush=True)
        fleet.cli("state", "apply", NODE, "--module", MODULE, "--yes")
        if "400" in target.read_text(encoding="utf-8"):
            raise FleetError(f"the repair said that it succeeded, and {target} is as it was")
        self.say("repaired by applying again")

    def drift_since(self, moment: float) -> object | None:
        """Return the newest drift record if it is of drift and not older than a moment."""
        found = self.fleet.ask("state", "drift-list", "--agent", NODE, "--limit", "1")
        for record in rows(found):
            fresh = float(str(field(record, "checked_at"))) >= moment
            if fresh and field(record, "status") == "drifted":
                return record
        return None


def _what_next(fleet: LocalFleet) -> None:
    config = fleet.directory / "operator"
    program = Path(sys.executable).parent / "standfast"
    print(
        f"""
Running until Ctrl-C. The API is at {fleet.url}/api/v1, its documents at {fleet.url}/schema.
In another terminal:

  export STANDFAST_CONFIG_DIR={config}
  {program} status
  {program} state apply {NODE} --module {MODULE}     # repair the drift
  {program} why {NODE}
  curl --cacert {fleet.directory}/coordinator/tls.crt {fleet.url}/api/v1/status
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
