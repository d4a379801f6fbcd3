"""A real coordinator process on a free port, with operators of every role and two hosts."""

from __future__ import annotations

import itertools
import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from coordinator.store.database import Store
from protocol import dsse, ids, login
from tests.fakes.api_site import (
    SEED_TIME,
    everyone,
    host_key,
    operator_key,
    roster_envelope,
    seed_hosts,
)


class LiveCoordinator:
    """The running process, seen from outside."""

    def __init__(self, url: str, data: Path, process: subprocess.Popen[str]) -> None:
        self.url = url
        self.data = data
        self.process = process
        context = ssl.create_default_context(cafile=str(data / "tls.crt"))
        self.http = httpx.Client(base_url=f"{url}/api/v1", verify=context, timeout=30)
        self.root = httpx.Client(base_url=url, verify=context, timeout=30)
        self.pending = ids.node_id(host_key(1).public)
        self.approved = ids.node_id(host_key(2).public)
        self._tokens: dict[str, str] = {}

    def log_in(self, name: str) -> httpx.Response:
        """Log a test operator in and return the last answer."""
        key = operator_key(name)
        asked = self.http.post("/auth/challenge", json={"public_key": key.public.hex()})
        challenge = asked.json()
        statement = login.statement(
            challenge["coordinator_key"],
            challenge["challenge_id"],
            challenge["nonce"],
            challenge["expires_at"],
        )
        return self.http.post(
            "/auth/verify",
            json={
                "public_key": key.public.hex(),
                "signature": key.sign(statement).hex(),
                "challenge_id": challenge["challenge_id"],
            },
        )

    def bearer(self, name: str = "ada") -> dict[str, str]:
        """Return the header with a test operator's session token."""
        if name not in self._tokens:
            answer = self.log_in(name)
            assert answer.status_code == 200, answer.text
            self._tokens[name] = answer.json()["token"]
        return {"authorization": f"Bearer {self._tokens[name]}"}

    def close(self) -> None:
        """Close the clients."""
        self.http.close()
        self.root.close()


def seed(data: Path) -> None:
    """Put a pending and an approved host into a stopped coordinator's store."""
    store = Store.open(f"sqlite:///{data / 'coordinator.db'}", clock=lambda: SEED_TIME, inline=True)
    store.write_now(seed_hosts)


@contextmanager
def running(
    home: Path, *options: str, init: tuple[str, ...] = (), hosts: bool = True
) -> Generator[LiveCoordinator]:
    """Run a coordinator with its own data directory until the block ends.

    `options` are of `run`, `init` replaces the roster that it is made with otherwise.
    """
    data = home / "data"
    roster = home / "roster.json"
    roster.write_bytes(dsse.encode(roster_envelope(everyone())))
    command = [sys.executable, "-m", "coordinator.main"]
    subprocess.run(
        [*command, "init", "--data-dir", str(data), *(init or ("--roster", str(roster)))],
        check=True,
        capture_output=True,
        timeout=60,
    )
    if hosts:
        seed(data)
    (home / "c.toml").write_text("auth_requests_per_minute = 100000\n")
    with serving(home, data, *options) as live:
        yield live


@contextmanager
def serving(home: Path, data: Path, *options: str) -> Generator[LiveCoordinator]:
    """Run a coordinator on a data directory until the block ends."""
    command = [sys.executable, "-m", "coordinator.main"]
    options = (
        "--config",
        str(home / "c.toml"),
        "--data-dir",
        str(data),
        "--api-port",
        "0",
        *options,
    )
    with (
        (home / "stderr").open("w") as stderr,
        (home / "log").open("w") as log,
        subprocess.Popen(
            [*command, "run", *options], stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            live = LiveCoordinator(_ready(process, home), data, process)
            with subprocess.Popen(["cat"], stdin=process.stdout, stdout=log):
                try:
                    yield live
                finally:
                    live.close()
                    process.send_signal(signal.SIGTERM)
                    process.wait(20)
        finally:
            if process.poll() is None:
                process.kill()


def _ready(process: subprocess.Popen[str], home: Path) -> str:
    assert process.stdout is not None
    seen: list[str] = []
    # The process's own log says when it serves, so nothing here polls or sleeps.
    for line in itertools.islice(process.stdout, 200):
        seen.append(line)
        entry = json.loads(line)
        if entry.get("event") == "ready":
            return str(entry["urls"])
    raise AssertionError("".join(seen) + (home / "stderr").read_text())
