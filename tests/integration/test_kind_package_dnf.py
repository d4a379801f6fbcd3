"""The kind package-dnf with the real rpm and dnf, in a root and with a repository of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from protocol.canonical import Json
from protocol.reports import Action
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.contract import Context, RunScript
from state_engine.resources.package_dnf import PackageDnf
from tests.fakes.resources import resource

TOOLS = ("dnf", "rpm", "rpmbuild", "createrepo_c")
LACKING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(bool(LACKING), reason=f"needs {', '.join(LACKING)}"),
]
SPEC = """Name: {name}
Version: {version}
Release: 1
Summary: x
License: x
BuildArch: noarch
{more}
%description
x
%files
"""


def build(place: Path, name: str, version: str, more: str = "") -> None:
    spec = place / f"{name}-{version}.spec"
    spec.write_text(SPEC.format(name=name, version=version, more=more), encoding="utf-8")
    defines = ["--define", f"_topdir {place}/top", "--define", f"_rpmdir {place}/repo"]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *defines, spec], check=True, capture_output=True)


class World:
    """A root with nothing in it but a repository to install from."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place / "root"
        for version in ("1.0", "1.2", "1.10"):
            build(place, "sf-demo", version)
        build(place, "sf-user", "1", "Requires: sf-demo")
        subprocess.run(["createrepo_c", "-q", place / "repo"], check=True)
        for folder in ("etc/yum.repos.d", "var/lib/rpm", "root"):
            (self.root / folder).mkdir(parents=True)
        # Where rpm comes from Debian, it keeps its database in root's home.
        (self.root / "root/.rpmdb").symlink_to("../var/lib/rpm")
        repository = f"[local]\nname=local\nbaseurl=file://{place}/repo\ngpgcheck=0\nenabled=1\n"
        (self.root / "etc/yum.repos.d/local.repo").write_text(repository, encoding="utf-8")
        subprocess.run(["rpm", f"--root={self.root}", "--initdb"], check=True)
        self.kind = PackageDnf(str(self.root))
        self.ports = LinuxPorts(place / "state", b"k" * 32)

    def bring(self, **spec: Json) -> tuple[Action, str]:
        """Do what the kind finds to be done; return its action and what then is installed."""
        whole: dict[str, Json] = {"name": "sf-demo", **spec}
        found = self.kind.observe(whole, self.ports, verify=False)
        difference = self.kind.compare(whole, found, Context())
        for step in self.kind.steps(whole, difference):
            assert isinstance(step, RunScript)
            done = self.ports.programs.run(step.call)
            assert done.exit == 0, done
        after = self.kind.observe(whole, self.ports, verify=False)
        assert self.kind.compare(whole, after, Context()).action == "none"
        return difference.action, after.version or ""


@pytest.mark.timeout(180)
def test_a_package_goes_through_every_wish(tmp_path: Path) -> None:
    """Absent, exact, up, down, a range, latest, absent again; each holds once it is reached."""
    world = World(tmp_path)
    assert world.bring(version="1.0") == ("create", "1.0-1")
    assert world.bring() == ("none", "1.0-1")
    assert world.bring(version=">= 1.1, < 1.10") == ("update", "1.2-1")
    assert world.bring(version="latest") == ("update", "1.10-1")
    assert world.bring(version="1.0-1") == ("update", "1.0-1")
    assert world.bring(ensure="absent") == ("update", "")
    assert world.bring(ensure="absent") == ("none", "")


@pytest.mark.timeout(180)
def test_a_package_that_others_need_is_not_removed(tmp_path: Path) -> None:
    """Rpm refuses, and nothing else goes with it."""
    world = World(tmp_path)
    world.bring(name="sf-user")
    spec: dict[str, Json] = {"name": "sf-demo", "ensure": "absent"}
    difference = world.kind.compare(
        spec, world.kind.observe(spec, world.ports, verify=False), Context()
    )
    (step,) = world.kind.steps(spec, difference)
    assert isinstance(step, RunScript)
    done = world.ports.programs.run(step.call)
    assert (done.exit != 0, "needed by" in done.stderr) == (True, True)
    assert world.bring() == ("none", "1.10-1")


def test_a_host_without_the_database_says_so() -> None:
    """This machine's own plan: an error of the item, and nothing run."""
    if any(Path(path).exists() for path in ("/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm")):
        pytest.skip("this host has an RPM database")
    ports = LinuxPorts(Path("/nonexistent"), b"k" * 32)
    items: list[ResolvedResource] = [resource("package-dnf", "bash", {"name": "bash"})]
    plan = make_plan("n", items, Snapshot(), ports)
    assert (plan.resources[0].action, "no RPM database" in (plan.resources[0].message or "")) == (
        "error",
        True,
    )
    assert find_drift(Snapshot(), ports) == ()
    assert apply_plan("o", "n", items, Snapshot(), ports, approved=None).result.status == "failed"
