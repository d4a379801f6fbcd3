"""The kinds `package-apt` and `apt-repository` with the real dpkg and apt, in their own root."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from protocol.canonical import Json
from protocol.reports import ApplyResult, PlanResult
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.apt_repository import AptRepository
from state_engine.resources.package_apt import PackageApt
from state_engine.resources.registry import KINDS
from tests.fakes.apt_root import AptRoot
from tests.fakes.resources import resource

PROGRAMS = ("dpkg", "dpkg-deb", "apt-get", "apt-cache", "gpg")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="installs packages: needs root"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]
# What the machine's own tools would write to if a call went to the wrong root.
OWN = [
    Path("/var/lib/dpkg/status"),
    Path("/var/log/dpkg.log"),
    Path("/var/lib/apt/extended_states"),
]


def own_files() -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in OWN if path.exists()]


class System:
    """A root of its own, and the engine at work on it."""

    def __init__(self, root: AptRoot, ports: LinuxPorts) -> None:
        self.root = root
        self.ports = ports
        self.snapshot = Snapshot()

    def repository(self, **fields: Json) -> ResolvedResource:
        spec: dict[str, Json] = {
            "name": "test",
            "uris": [f"file:{self.root.repository}"],
            "suites": ["./"],
            "key": self.root.key,
            **fields,
        }
        return resource("apt-repository", "test", spec, id="test")

    def package(self, name: str, **fields: Json) -> ResolvedResource:
        spec: dict[str, Json] = {"name": name, **fields}
        return resource("package-apt", name, spec, depends_on=(self.repository(),))

    def plan(self, *resources: ResolvedResource) -> PlanResult:
        return make_plan("node", resources, self.snapshot, self.ports)

    def apply(self, *resources: ResolvedResource) -> ApplyResult:
        """Apply what a plan shows and approves, and nothing else."""
        plan = self.plan(*resources)
        approved = frozenset(item.digest for item in plan.resources if item.digest)
        outcome = apply_plan("op", "node", resources, self.snapshot, self.ports, approved=approved)
        self.snapshot = outcome.snapshot
        return outcome.result

    def converges(self, *resources: ResolvedResource) -> None:
        """Apply, and require that nothing is left to do and nothing has drifted."""
        result = self.apply(*resources)
        assert result.status == "succeeded", result
        plan = self.plan(*resources)
        assert plan.summary.none == len(plan.resources), plan
        assert find_drift(self.snapshot, self.ports) == ()

    def file(self, name: str) -> Path:
        return self.root.path / name


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    root = AptRoot(tmp_path)
    root.build("sf-base", "1.0-1")
    root.build("sf-base", "1.2-1")
    root.build("sf-base", "1.10-1")
    root.build("sf-user", "1", depends="sf-base (>= 1.0)")
    root.build("sf-rival", "1", conflicts="sf-base")
    root.publish()
    monkeypatch.setitem(KINDS, "package-apt", PackageApt(str(root.path)))
    monkeypatch.setitem(KINDS, "apt-repository", AptRepository(str(root.path)))
    return System(root, LinuxPorts(tmp_path / "state", b"k" * 32, show_private=True))


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({}, "1.10-1"),
        ({"version": "present"}, "1.10-1"),
        ({"version": "latest"}, "1.10-1"),
        ({"version": "1.2-1"}, "1.2-1"),
        ({"version": ">= 1.1"}, "1.10-1"),
        ({"version": ">= 1.1, << 1.10"}, "1.2-1"),
        ({"version": "<< 1.2", "hold": True}, "1.0-1"),
    ],
)
def test_a_repository_and_its_package_come_with_one_apply(
    system: System, fields: dict[str, Json], version: str
) -> None:
    """The index is fetched before the package is looked for; then nothing is left to do."""
    before = own_files()
    system.converges(system.repository(), system.package("sf-base", **fields))
    want = "hold" if fields.get("hold") else "install"
    assert system.root.installed("sf-base") == f"{want} ok installed {version}"
    assert own_files() == before


def test_versions_move_as_the_module_says(system: System) -> None:
    """Up, down, to the latest, held, let go and away; a changed configuration file stays."""
    repository = system.repository()
    system.converges(repository, system.package("sf-base", version="1.2-1"))
    conf = system.file("etc/sf-base.conf")
    conf.write_text("mine\n", encoding="utf-8")
    system.converges(repository, system.package("sf-base", version="1.0-1"))
    system.converges(repository, system.package("sf-base", version="latest"))
    assert system.root.installed("sf-base") == "install ok installed 1.10-1"
    assert conf.read_text(encoding="utf-8") == "mine\n"
    system.converges(repository, system.package("sf-base", hold=True))
    assert system.root.installed("sf-base") == "hold ok installed 1.10-1"
    held = system.package("sf-base", hold=True, version="1.2-1")
    system.converges(repository, held)
    assert system.root.installed("sf-base") == "hold ok installed 1.2-1"
    system.converges(repository, system.package("sf-base", hold=False, version="latest"))
    assert system.root.installed("sf-base") == "install ok installed 1.10-1"
    system.converges(repository, system.package("sf-base", ensure="absent"))
    assert system.root.installed("sf-base") == "deinstall ok config-files 1.10-1"
    assert conf.read_text(encoding="utf-8") == "mine\n"


def test_an_administrators_hold_is_respected(system: System) -> None:
    """A held package is not changed by a module that says nothing of holds."""
    repository = system.repository()
    system.converges(repository, system.package("sf-base", version="1.2-1", hold=True))
    for fields in ({"version": "1.10-1"}, {"ensure": "absent"}):
        item = system.plan(repository, system.package("sf-base", **fields)).resources[1]
        assert (item.action, "held at 1.2-1" in (item.message or "")) == ("error", True)
    system.converges(repository, system.package("sf-base", version="latest"))
    assert system.root.installed("sf-base") == "hold ok installed 1.2-1"


def test_no_other_package_is_removed(system: System) -> None:
    """Neither what conflicts with a new package, nor what depends on one that is to go."""
    repository = system.repository()
    system.converges(repository, system.package("sf-user"))
    assert system.apply(repository, system.package("sf-rival")).status == "failed"
    result = system.apply(repository, system.package("sf-base", ensure="absent"))
    assert "dependency problems" in str(result.output["base/sf-base"].check)
    assert result.status == "failed"
    assert system.root.installed("sf-base") == "install ok installed 1.10-1"
    assert system.root.installed("sf-user") == "install ok installed 1"
    assert not system.root.installed("sf-rival")


def test_a_name_is_never_a_pattern(system: System) -> None:
    """A pattern is what apt would take `sf.base` for, and `sf-base` fits it."""
    result = system.apply(system.repository(), system.package("sf.base"))
    assert [item.status for item in result.resources] == ["changed", "failed"]
    assert not system.root.installed("sf-base")


@pytest.mark.parametrize("version", ["9.9", ">= 9.9"])
def test_a_version_that_nobody_has_fails_before_anything_is_installed(
    system: System, version: str
) -> None:
    result = system.apply(system.repository(), system.package("sf-base", version=version))
    assert [item.status for item in result.resources] == ["changed", "failed"]
    assert not system.root.installed("sf-base")


def test_a_package_that_is_no_longer_desired_stays_and_its_repository_goes(system: System) -> None:
    """Packages are kept; the files of a repository that we made are taken out again."""
    system.converges(system.repository(), system.package("sf-base"))
    assert system.apply().status == "succeeded"
    assert system.root.installed("sf-base") == "install ok installed 1.10-1"
    assert list(system.file("etc/apt/sources.list.d").iterdir()) == []
    assert list(system.file("etc/apt/keyrings").iterdir()) == []


def test_an_index_that_could_not_be_fetched_is_fetched_by_the_next_apply(system: System) -> None:
    """The files are as desired after a failed fetch, and yet something is left to do."""
    index = system.root.repository / "InRelease"
    kept = index.read_bytes()
    index.write_bytes(kept.replace(b"Suite", b"Swite"))  # the signature no longer holds
    result = system.apply(system.repository(), system.package("sf-base"))
    assert [item.status for item in result.resources] == ["failed", "skipped"]
    index.write_bytes(kept)
    assert system.plan(system.repository()).resources[0].action == "run"
    system.converges(system.repository(), system.package("sf-base"))


def test_a_package_that_stopped_half_way_is_finished(system: System) -> None:
    """Unpacked is not installed, and the plan says so."""
    system.converges(system.repository())
    system.root.dpkg("--unpack", str(system.root.repository / "sf-base_1.2-1.deb"))
    changes = system.plan(system.repository(), system.package("sf-base")).resources[1].changes
    assert [(change.field, change.current) for change in changes] == [("status", "unpacked")]
    system.converges(system.repository(), system.package("sf-base"))
    assert system.root.installed("sf-base") == "install ok installed 1.2-1"


def test_an_edited_source_list_is_drift_and_is_put_right(system: System) -> None:
    system.converges(system.repository())
    path = system.file("etc/apt/sources.list.d/test.sources")
    path.write_text(path.read_text(encoding="utf-8") + "Enabled: no\n", encoding="utf-8")
    drift = find_drift(system.snapshot, system.ports)
    assert "-Enabled: no" in drift[0].changes[0].diff
    system.converges(system.repository(), system.package("sf-base"))


def test_an_absent_repository_leaves_no_file(system: System) -> None:
    system.converges(system.repository())
    gone = resource("apt-repository", "test", {"name": "test", "ensure": "absent"})
    system.converges(gone)
    assert list(system.file("etc/apt/sources.list.d").iterdir()) == []
    assert list(system.file("etc/apt/keyrings").iterdir()) == []
