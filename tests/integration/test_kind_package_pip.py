"""The kind `package-pip` with a real virtual environment and wheels built on the spot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.canonical import Json
from protocol.reports import ApplyResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from tests.fakes.resources import resource
from tests.fakes.wheels import wheel

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="pip runs as the environment's owner: needs root"),
]


class Host:
    """An environment whose own `pip.conf` knows one folder of wheels and no index."""

    def __init__(self, base: Path) -> None:
        self.venv = base / "venv"
        wheels = base / "wheels"
        wheels.mkdir()
        for version in ("1.0", "1.2", "1.10"):
            wheel(wheels, version)
        subprocess.run([sys.executable, "-m", "venv", str(self.venv)], check=True)
        settings = f"[global]\nno-index = true\nfind-links = {wheels}\n"
        (self.venv / "pip.conf").write_text(settings, encoding="utf-8")
        self.ports = LinuxPorts(base / "state", b"k" * 32)
        self.snapshot = Snapshot()

    def package(self, **fields: Json) -> ResolvedResource:
        spec: dict[str, Json] = {"name": "SF_demo", "venv": str(self.venv), **fields}
        return resource("package-pip", f"{self.venv}:sf-demo", spec)

    def apply(self, *resources: ResolvedResource) -> ApplyResult:
        plan = make_plan("node", resources, self.snapshot, self.ports)
        approved = frozenset(item.digest for item in plan.resources if item.digest)
        outcome = apply_plan("op", "node", resources, self.snapshot, self.ports, approved=approved)
        self.snapshot = outcome.snapshot
        return outcome.result

    def converges(self, item: ResolvedResource) -> None:
        result = self.apply(item)
        assert result.status == "succeeded", result
        assert make_plan("node", [item], self.snapshot, self.ports).summary.none == 1
        assert find_drift(self.snapshot, self.ports) == ()

    def version(self) -> str | None:
        """Return what the environment's own Python says."""
        code = "import sf_demo; print(sf_demo.VERSION)"
        argv = [str(self.venv / "bin/python"), "-I", "-c", code]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        return done.stdout.strip() or None


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    # Making an environment with pip in it takes seconds; each test brings it to its own start.
    return Host(tmp_path_factory.mktemp("pip"))


def test_a_package_moves_as_the_module_says(host: Host) -> None:
    """An exact version in another spelling, down, to the latest, away; kept when forgotten."""
    host.converges(host.package(version="1.2.0"))
    assert host.version() == "1.2"
    host.converges(host.package())
    assert host.version() == "1.2"
    host.converges(host.package(version="1.0"))
    assert host.version() == "1.0"
    host.converges(host.package(version="latest"))
    assert host.version() == "1.10"
    assert host.apply().status == "succeeded"
    assert host.version() == "1.10"
    host.converges(host.package(ensure="absent"))
    assert host.version() is None


def test_a_version_that_nobody_has_fails(host: Host) -> None:
    """The words of pip say so, and nothing is installed."""
    host.converges(host.package(ensure="absent"))
    result = host.apply(host.package(version="9.9"))
    assert result.status == "failed"
    assert "No matching distribution" in (result.resources[0].error or "")
    assert host.version() is None


def test_pip_runs_as_the_owner_of_the_environment(host: Host) -> None:
    """Code that a user could have put there never runs as root."""
    host.converges(host.package(ensure="absent"))
    nobody = 65534
    everything = [host.venv, *host.venv.rglob("*")]
    # pytest's own folders are closed to others; the real place of an environment is not.
    modes = {path: path.stat().st_mode for path in host.venv.parents}
    modes = {path: mode for path, mode in modes.items() if mode & 0o005 != 0o005}
    try:
        for path, mode in modes.items():
            path.chmod(mode | 0o055)
        for path in everything:
            os.chown(path, nobody, nobody, follow_symlinks=False)
        result = host.apply(host.package(version="1.2"))
        assert result.status == "succeeded", result
        owners = {path.stat().st_uid for path in host.venv.rglob("sf_demo*")}
        assert owners == {nobody}
    finally:
        for path in [host.venv, *host.venv.rglob("*")]:
            os.chown(path, 0, 0, follow_symlinks=False)
        for path, mode in modes.items():
            path.chmod(mode)


def test_an_environment_that_others_can_replace_is_refused(host: Host) -> None:
    """A directory that everybody may write to leads to nobody's program."""
    host.converges(host.package(ensure="absent"))
    parent = host.venv.parent
    mode = parent.stat().st_mode
    parent.chmod(0o777)
    try:
        result = host.apply(host.package(version="1.2"))
    finally:
        parent.chmod(mode)
    assert "can write to" in (result.resources[0].error or "")
    assert host.version() is None
