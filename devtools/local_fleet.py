"""A coordinator and agents on this machine, in one directory, as real processes.

`./dev up`, the end-to-end tests and the benchmarks all use it, so that they show the same thing.
Every wait here is for a condition, with a deadline.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")

# Program name -> where its `main` is; the same as [project.scripts] in pyproject.toml.
PROGRAMS = {
    "standfast": "client.cli.main",
    "standfast-agent": "agent.main",
    "standfast-coordinator": "coordinator.main",
    "standfast-state": "state_engine.cli.main",
}
# A cold start of the coordinator takes 2 s on a slow machine; of everything at once, 10 s.
DEADLINE = 60.0


class FleetError(Exception):
    """A program failed or did not do what was waited for; the text holds what it printed."""


def command(program: str, *arguments: str) -> list[str]:
    """Return the argv that runs one of our programs from this checkout, installed or not."""
    module = PROGRAMS[program]
    start = f"import sys; sys.argv[0] = {program!r}; from {module} import main; sys.exit(main())"
    return [sys.executable, "-c", start, *arguments]


def free_port(preferred: int = 0) -> int:
    """Return the preferred TCP port of 127.0.0.1 if it is free, else another."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise FleetError("no free port on 127.0.0.1")


def wait_for(what: str, look: Callable[[], T | None], deadline: float = DEADLINE) -> T:
    """Return the first answer of `look` that is not None.

    Raises:
        FleetError: there was none before the deadline.
    """
    end = time.monotonic() + deadline
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > end:
            raise FleetError(f"waited {deadline:.0f} s for {what}")
        # Short enough to measure drift by: a look costs under a millisecond where it matters.
        time.sleep(0.005)


class LocalFleet:
    """One coordinator, its operator and any number of agents under one directory.

    Leaving the context ends every process; files stay.
    """

    def __init__(self, directory: Path, *, port: int = 0) -> None:
        self.directory = directory
        self.port = free_port(port)
        self.url = f"https://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "STANDFAST_CONFIG_DIR": str(directory / "operator"),
            "NO_COLOR": "1",
        }

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)

    # --- programs ---------------------------------------------------------------------------------

    def run(self, program: str, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        """Run a program to its end and return its standard output.

        Raises:
            FleetError: its exit code is none of `codes`.
        """
        done = subprocess.run(
            command(program, *arguments),
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE * 2,
            check=False,
            text=True,
        )
        if done.returncode not in codes:
            shown = " ".join([program, *arguments])
            raise FleetError(f"{shown}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def cli(self, *arguments: str, codes: Sequence[int] = (0,)) -> str:
        """Run `standfast` and return what it printed."""
        return self.run("standfast", *arguments, codes=codes)

    def ask(self, *arguments: str, codes: Sequence[int] = (0,)) -> object:
        """Run `standfast --json` and return what it answered."""
        return json.loads(self.cli("--json", *arguments, codes=codes))

    def start(self, name: str, program: str, *arguments: str) -> None:
        """Start a daemon; its output goes to `NAME.log` in the directory."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command(program, *arguments),
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """End a daemon and return its exit code; one that ignores SIGTERM for 10 s is killed."""
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(timeout=10)

    def log(self, name: str) -> str:
        """Return the last lines that a daemon printed."""
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    # --- the parts --------------------------------------------------------------------------------

    def make_operator(self, username: str = "operator") -> None:
        """Make the operator's key and the roster that it signs."""
        self.cli("operator", "init", "--username", username)

    def init_coordinator(self) -> None:
        """Prepare the coordinator's data directory with the operator's roster."""
        roster = str(self.directory / "operator" / "roster.json")
        data = str(self.directory / "coordinator")
        self.run("standfast-coordinator", "init", "--data-dir", data, "--roster", roster)

    def start_coordinator(self) -> None:
        """Start the coordinator and return when it answers."""
        data = str(self.directory / "coordinator")
        self.start(
            "coordinator",
            "standfast-coordinator",
            "run",
            "--data-dir",
            data,
            "--api-port",
            str(self.port),
        )
        wait_for("the coordinator to listen", self._listening)

    def _check_processes(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise FleetError(f"{name} ended by itself:\n{self.log(name)}")

    def _listening(self) -> bool | None:
        self._check_processes()
        with socket.socket() as probe:
            return True if probe.connect_ex(("127.0.0.1", self.port)) == 0 else None

    def make_profile(self) -> None:
        """Point the operator's command line at the coordinator, its certificate pinned."""
        fingerprint = certificate_fingerprint(self.directory / "coordinator" / "tls.crt")
        self.cli("profile", "create", "local", "--url", self.url, "--fingerprint", fingerprint)

    def make_enrolment_key(self) -> str:
        """Return a new enrolment key for one host."""
        made = self.ask("enrol-key", "create", "--uses", "1")
        return str(field(made, "key", "key"))

    def start_agent(self, name: str, key: str | None = None) -> None:
        """Start an agent; its state lies under its name."""
        arguments = ["run", "--state-dir", str(self.directory / name)]
        if key is not None:
            arguments += ["--enrolment-key", key]
        self.start(name, "standfast-agent", *arguments)

    def agents(self) -> list[object]:
        """Return the agents as the coordinator lists them."""
        return rows(self.ask("agents", "list"))

    def approve_first_pending(self, name: str) -> str:
        """Wait for a pending agent, approve it under a name, and return its node id."""

        def pending() -> str | None:
            self._check_processes()
            waiting = [a for a in self.agents() if field(a, "status") == "pending"]
            return str(field(waiting[0], "node_id")) if waiting else None

        node = wait_for("an agent to ask for approval", pending)
        self.cli("agents", "approve", node, "--name", name)
        return node


def wall_clock() -> float:
    """Return the seconds since the epoch, to compare with what hosts report."""
    return time.time_ns() / 1e9


def field(value: object, *names: str) -> object:
    """Return a field of parsed JSON by its path.

    Raises:
        FleetError: it is not there.
    """
    found = value
    for name in names:
        if not isinstance(found, dict) or name not in found:
            raise FleetError(f"no field {name!r} in {json.dumps(found)[:500]}")
        found = cast("dict[str, object]", found)[name]
    return found


def rows(value: object) -> list[object]:
    """Return parsed JSON as a list; what is none has no rows."""
    return cast("list[object]", value) if isinstance(value, list) else []


def certificate_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a PEM certificate as hex."""
    import hashlib
    import ssl

    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text(encoding="ascii"))).hexdigest()
