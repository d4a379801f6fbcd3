"""The canary hunt: a secret goes through a real fleet, and is then looked for everywhere.

Set, planned, applied, printed by scripts, in failures, drifted, rotated, overwritten, restarted.
It may be found in the operator's own file, in the file that a module puts it in, and nowhere else.
"""

from __future__ import annotations

import base64
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from devtools.local_fleet import LocalFleet, field, wait_for
from devtools.up import Walk

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
NODE = "first"


class Canary:
    """A value that stands nowhere by chance, and every spelling in which it would be a leak."""

    def __init__(self, label: str) -> None:
        self.value = f"{label}/{secrets.token_urlsafe(24)}+?"
        raw = self.value.encode()
        inner = [base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)]
        self.spellings = [
            raw,
            raw.hex().encode(),
            *inner,
            *(text.replace(b"+", b"-").replace(b"/", b"_") for text in inner),
            self.value.replace("/", "%2F").encode()[:24],
        ]

    def in_(self, data: bytes) -> bool:
        return any(spelling in data for spelling in self.spellings)


class Watcher:
    """Reads arguments and variables of every process that it sees, as fast as it can."""

    def __init__(self, canaries: list[Canary]) -> None:
        self._canaries = canaries
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seen: set[int] = set()
        self.leaks: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.005):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and int(entry.name) != os.getpid():
                    self._look(entry)

    def _look(self, process: Path) -> None:
        for name in ("cmdline", "environ"):
            try:
                data = (process / name).read_bytes()
            except OSError:
                continue
            self.seen.add(int(process.name))
            if any(canary.in_(data) for canary in self._canaries):
                self.leaks.append(f"{process}/{name}")


class Hunt:
    """One fleet at debug level with two canaries; all that its command line ever printed."""

    def __init__(self, fleet: LocalFleet) -> None:
        self.fleet = fleet
        self.first, self.second = Canary("first"), Canary("second")
        self.said: list[str] = []
        self.target = fleet.directory / "managed" / "app.conf"
        # The script keeps a copy of its own, as scripts do.
        self.marker = fleet.directory / "managed" / "marker"
        self.source = fleet.directory / "canary.txt"
        self.target.parent.mkdir()

    def cli(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        text = self.fleet.cli(*arguments, codes=codes)
        self.said.append(text)
        return text

    def set_secret(self, canary: Canary) -> None:
        self.source.write_text(canary.value, encoding="utf-8")
        self.source.chmod(0o600)
        self.cli("secrets", "set", "canary", "--file", str(self.source))

    def upload(self, *, exit_code: int) -> None:
        body = f"""\
name: hunt
supports: [{{platform: linux}}]
resources:
  - id: conf
    resource:
      file-unix:
        path: {self.target}
        mode: '0600'
        content: |
          user=app
          password=${{{{ secrets.canary }}}}
          port=5432
  - id: loud
    depends_on: [conf]
    resource:
      script:
        program: sh
        check: 'cat {self.target}; cat {self.target} | cmp -s - {self.marker}'
        apply: |
          echo "the value is ${{{{ secrets.canary }}}}"
          grep -o 'password=.*' {self.target} | base64 >&2
          cat {self.target} >&2
          tr '\\0' ' ' < /proc/$$/cmdline
          echo "failing with ${{{{ secrets.canary }}}}" >&2
          test {exit_code} = 0 || exit {exit_code}
          install -m 600 {self.target} {self.marker}
"""
        path = self.fleet.directory / "hunt.ordo.yaml"
        path.write_text(body, encoding="utf-8")
        self.cli("state", "upload", str(path))

    def places(self) -> Iterator[Path]:
        """Every file of the fleet but those that are meant to hold the value."""
        for path in self.fleet.directory.rglob("*"):
            if path.is_file() and path not in {self.target, self.marker, self.source}:
                yield path

    def leaks(self) -> list[str]:
        found = [
            str(path)
            for path in self.places()
            if any(canary.in_(path.read_bytes()) for canary in (self.first, self.second))
        ]
        said = [text for text in self.said if any(c.in_(text.encode()) for c in self.canaries)]
        return [*found, *said]

    @property
    def canaries(self) -> list[Canary]:
        return [self.first, self.second]


@pytest.fixture
def hunt(tmp_path: Path) -> Iterator[Hunt]:
    with LocalFleet(tmp_path / "fleet") as fleet:
        settings = fleet.directory / "coordinator.toml"
        settings.write_text('log_level = "debug"\n', encoding="utf-8")
        fleet.environment["STANDFAST_COORDINATOR_CONFIG"] = str(settings)
        walk = Walk(fleet)
        walk.start()
        fleet.start(
            NODE, "standfast-agent", "run", "--state-dir", str(fleet.directory / NODE),
            "--log-level", "debug", "--enrolment-key", fleet.make_enrolment_key(),
        )  # fmt: skip
        fleet.approve_first_pending(NODE)
        yield Hunt(fleet)


def test_a_secret_is_found_nowhere_but_where_it_belongs(hunt: Hunt) -> None:
    """Logs at debug, both databases with their logs, arguments, variables, diffs, artifacts."""
    fleet, apply = hunt.fleet, ("state", "apply", NODE, "--module", "hunt", "--yes")
    with Watcher(hunt.canaries) as watcher:
        # What stands there before holds the secret too: a copy of it is kept.
        hunt.target.write_text(f"old={hunt.first.value}\n", encoding="utf-8")
        hunt.target.chmod(0o600)
        hunt.set_secret(hunt.first)
        hunt.upload(exit_code=3)
        plan = hunt.cli("state", "plan", NODE, "--module", "hunt")
        assert "(secret canary v1)" in plan
        hunt.cli(*apply, codes=(5,))
        assert hunt.first.value in hunt.target.read_text(encoding="utf-8")
        hunt.upload(exit_code=0)
        hunt.cli(*apply)
        hunt.cli("--json", "state", "plan", NODE, "--module", "hunt")
        with hunt.target.open("a", encoding="utf-8") as file:
            file.write(f"# copied: {hunt.first.value}\n")

        def drifted() -> object | None:
            records = fleet.ask("state", "drift-list", "--agent", NODE, "--limit", "1")
            assert isinstance(records, list)
            return next((one for one in records if field(one, "status") == "drifted"), None)

        hunt.said.append(str(wait_for("the drift to be told", drifted)))
        hunt.cli("why", NODE)
        hunt.set_secret(hunt.second)
        assert "pending" in hunt.cli("secrets", "show", "canary")
        rotated = hunt.cli("state", "plan", NODE, "--module", "hunt")
        assert "(secret canary v2)" in rotated
        hunt.cli(*apply)
        assert hunt.second.value in hunt.target.read_text(encoding="utf-8")
        fleet.stop(NODE, signal.SIGKILL)
        fleet.start_agent(NODE)
        hunt.cli("--json", "state", "list")
        hunt.cli("--json", "secrets", "list")
        hunt.cli("secrets", "rm", "canary", "--yes")
    # Both databases, their write-ahead logs and the kept copies are among the files.
    names = {path.name for path in hunt.places()}
    assert {"agent.db", "agent.db-wal", "coordinator.log", f"{NODE}.log"} <= names
    assert any(path.parent.name == "backups" for path in hunt.places())
    assert len(watcher.seen) > 10
    assert watcher.leaks == []
    assert hunt.leaks() == []


def test_the_hunt_finds_a_value_that_was_let_out(hunt: Hunt) -> None:
    """The hunter is no good if it finds nothing where there is something."""
    for number, spelling in enumerate(hunt.first.spellings):
        (hunt.fleet.directory / f"leak-{number}").write_bytes(b"x" + spelling + b"y")
    assert len(hunt.leaks()) == len(hunt.first.spellings)
