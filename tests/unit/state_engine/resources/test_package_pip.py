"""The kind package-pip."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from protocol.reports import CapturedStream
from state_engine.model import AppliedResource
from state_engine.ports import PortError
from state_engine.resources.contract import Context, Difference, RunScript
from state_engine.resources.package_pip import PackagePip, PipObservation
from tests.fakes.ports import FakePorts, Node
from tests.fakes.resources import resource

KIND = PackagePip()
SITE = "/o/venv/lib/python3.11/site-packages"
PIP = "/o/venv/bin/python -I -m pip --no-input --disable-pip-version-check --no-color"
LATEST = f"{PIP} install --dry-run --upgrade --no-deps --quiet --report - -- x"


def host(*entries: str, owner: int = 0, mode: int = 0o755) -> FakePorts:
    """An environment whose site-packages hold directories with metadata."""
    ports = FakePorts()
    for path in ("/o", "/o/venv", "/o/venv/lib", "/o/venv/lib/python3.11", SITE):
        ports.files.put(path, Node("directory", 0o755, 0, 0))
    ports.files.put("/o/venv", Node("directory", mode, owner, owner))
    for entry in entries:
        ports.files.put(f"{SITE}/{entry}", Node("directory", 0o755, 0, 0))
        ports.files.put(f"{SITE}/{entry}/METADATA", Node("file", 0o644, 0, 0))
    return ports


def observe(ports: FakePorts, **fields: Json) -> PipObservation:
    spec: dict[str, Json] = {"name": "x", "venv": "/o/venv", **fields}
    return KIND.observe(spec, ports, verify=False)


def compare(ports: FakePorts, **fields: Json) -> Difference:
    spec: dict[str, Json] = {"name": "x", "venv": "/o/venv", **fields}
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


@pytest.mark.parametrize(
    ("name", "entry", "version"),
    [
        ("x", "x-1.0.dist-info", "1.0"),
        ("PyYAML", "pyyaml-6.0.1.dist-info", "6.0.1"),
        ("ruamel.yaml", "ruamel_yaml-0.18.dist-info", "0.18"),
        ("typing-extensions", "typing_extensions-4.0+x.1.dist-info", "4.0+x.1"),
        ("x", "x_y-1.0.dist-info", None),
        ("x", "~-1.0.dist-info", None),
        ("x", "x-1.0.egg-info", None),
        ("x", "x", None),
    ],
)
def test_the_version_is_in_the_name_of_the_metadata(
    name: str, entry: str, version: str | None
) -> None:
    """Names are compared in their one spelling; no program is started."""
    ports = host(entry)
    assert observe(ports, name=name).version == version
    assert ports.programs.calls == []


def test_metadata_that_is_not_there_is_no_package() -> None:
    """An interrupted uninstallation leaves an empty directory behind."""
    ports = host("x-1.0.dist-info")
    del ports.files.nodes[f"{SITE}/x-1.0.dist-info/METADATA"]
    assert observe(ports).version is None


@pytest.mark.parametrize(
    ("fields", "entries", "action", "tail"),
    [
        ({}, (), "create", "install -- x"),
        ({"version": "latest"}, (), "create", "install -- x"),
        ({"version": "1.2"}, (), "create", "install -- x==1.2"),
        ({"version": "1.2"}, ("x-1.2.0.dist-info",), "none", None),
        ({"version": "1.2"}, ("x-1.3.dist-info",), "update", "install -- x==1.2"),
        ({}, ("x-1.3.dist-info",), "none", None),
        ({"ensure": "absent"}, ("x-1.3.dist-info",), "update", "uninstall --yes -- x"),
        ({"ensure": "absent"}, (), "none", None),
    ],
)
def test_what_pip_is_told(
    fields: dict[str, Json], entries: tuple[str, ...], action: str, tail: str | None
) -> None:
    difference = compare(host(*entries), **fields)
    calls = [" ".join(step.call.argv) for step in difference.steps if isinstance(step, RunScript)]
    assert difference.action == action
    assert calls == ([] if tail is None else [f"{PIP} {tail}"])


def test_only_pip_knows_what_is_latest() -> None:
    """An empty report means that nothing newer is there."""
    ports = host("x-1.0.dist-info")
    report = '{"install": [{"metadata": {"version": "1.5", "name": "x"}}], "pip_version": "23"}'
    ports.programs.known[LATEST] = lambda: CapturedStream(0, '{"install": []}', "")
    assert compare(ports, version="latest").action == "none"
    ports.programs.known[LATEST] = lambda: CapturedStream(0, report, "")
    difference = compare(ports, version="latest")
    assert difference.action == "update"
    (step,) = difference.steps
    assert isinstance(step, RunScript)
    assert step.call.argv[-1] == "x==1.5"
    ports.programs.known[LATEST] = lambda: CapturedStream(1, "", "a\nERROR: no network\n")
    with pytest.raises(PortError, match="no network"):
        compare(ports, version="latest")


def test_asking_for_the_latest_is_running_code() -> None:
    spec: dict[str, Json] = {"name": "x", "venv": "/o/venv"}
    assert not KIND.runs_code(spec)
    assert KIND.runs_code({**spec, "version": "latest"})


def test_pip_runs_as_the_owner_of_the_environment() -> None:
    """For root as root; for anyone else without a way back to more rights."""
    (step,) = compare(host(owner=1000)).steps
    assert isinstance(step, RunScript)
    argv = step.call.argv
    assert {"--reuid=1000", "--regid=1000", "--clear-groups", "--no-new-privs"} <= {*argv}
    assert argv.index("setpriv") < argv.index("/o/venv/bin/python")


@pytest.mark.parametrize(
    ("path", "node"),
    [
        ("/o/venv", Node("directory", 0o775, 0, 0)),
        ("/o", Node("directory", 0o777, 0, 0)),
        ("/o", Node("directory", 0o755, 1000, 0)),
        ("/o", Node("symlink", 0o777, 1000, 0)),
    ],
)
def test_an_environment_that_others_can_replace_is_refused(path: str, node: Node) -> None:
    """Neither is it changed, nor is its pip asked what is latest."""
    ports = host("x-1.0.dist-info")
    ports.files.put(path, node)
    assert compare(ports, version="1.2").action == "error"
    assert compare(ports, version="latest").action in {"none", "error"}
    assert compare(ports).action == "none"
    assert ports.programs.calls == []


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_sticky_directory_above_is_no_danger(mode: int) -> None:
    ports = host()
    ports.files.put("/o", Node("directory", mode, 0, 0))
    assert compare(ports).action == "create"


def test_an_environment_that_is_not_there_yet_is_planned_for() -> None:
    """A script of the same apply may make it."""
    difference = compare(FakePorts())
    assert (difference.action, difference.message) == ("create", "/o/venv is not there yet")
    assert compare(FakePorts(), ensure="absent").action == "none"


def test_a_package_is_named_by_its_environment_and_its_one_spelling() -> None:
    assert KIND.identity({"name": "A_b", "venv": "/v"}, None) == "/v:a-b"
    assert KIND.identity({"name": "A_b"}, "id") is None


def test_a_package_that_is_no_longer_desired_is_kept() -> None:
    spec: dict[str, Json] = {"name": "x", "venv": "/o/venv"}
    applied = AppliedResource(resource("package-pip", "/o/venv:x", spec), created=True)
    undo = KIND.undo(spec, None, applied)
    assert (undo.steps, undo.message) == ((), "kept: the package stays installed, if it is")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"venv": "venv"}, "venv"),
        ({"venv": "/v/../w"}, "venv"),
        ({"name": "-x"}, "name"),
        ({"version": "==1"}, "version"),
        ({"ensure": "absent", "version": "1"}, "version"),
    ],
)
def test_what_is_not_valid_is_named(fields: dict[str, Json], problem: str) -> None:
    spec: dict[str, Json] = {"name": "x", "venv": "/o/venv", **fields}
    assert [found.field for found in KIND.validate(spec)] == [problem]
