"""The kind package-apt."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.resources.contract import Context, Difference, RunScript
from state_engine.resources.package_apt import PackageApt
from tests.fakes.debian import FakeDebian
from tests.fakes.resources import resource

KIND = PackageApt()
POOL = ["1.0", "1.2", "1.10"]


def host(version: str | None = None, state: str = "installed", want: str = "install") -> FakeDebian:
    packages = {} if version is None else {"x1": [want, state, version]}
    return FakeDebian(packages, {"x1": list(POOL)})


def compare(ports: FakeDebian, **fields: Json) -> Difference:
    spec: dict[str, Json] = {"name": "x1", **fields}
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


def commands(difference: Difference) -> list[str]:
    """Return the last two words of what would be run, and what is said to it."""
    return [
        f"{step.call.argv[-1]} {step.call.stdin.decode()}".strip()
        for step in difference.steps
        if isinstance(step, RunScript)
    ]


@pytest.mark.parametrize(
    ("version", "wish", "action", "command"),
    [
        (None, None, "create", "x1"),
        (None, "latest", "create", "x1"),
        (None, "1.2", "create", "x1=1.2"),
        (None, "<< 1.10", "create", "x1=1.2"),
        (None, ">= 9, << 10", "create", "x1 (>= 9), x1 (<< 10)"),
        ("1.0", None, "none", None),
        ("1.0", "present", "none", None),
        ("1.0", "latest", "update", "x1=1.10"),
        ("1.10", "latest", "none", None),
        ("1.0", "1.0-0", "none", None),
        ("1.10", "1.2", "update", "x1=1.2"),
        ("1.2", ">= 1.1", "none", None),
        ("1.0", ">= 1.1", "update", "x1=1.10"),
        ("1.0", ">= 1.1, << 1.10", "update", "x1=1.2"),
        ("1.0", ">= 9", "update", "x1 (>= 9)"),
    ],
)
def test_a_wish_leads_to_one_version(
    version: str | None, wish: str | None, action: str, command: str | None
) -> None:
    """`present` is the default, and takes whatever is there."""
    difference = compare(host(version), **({} if wish is None else {"version": wish}))
    assert difference.action == action
    assert commands(difference) == ([] if command is None else [command])


def test_only_going_back_is_called_a_downgrade() -> None:
    for wish, down in (("1.0", True), ("1.10", False)):
        (step,) = compare(host("1.2"), version=wish).steps
        assert isinstance(step, RunScript)
        assert ("--allow-downgrades" in step.call.argv) == down


@pytest.mark.parametrize("wish", [None, "present", "1.0", ">= 0.9"])
def test_apt_is_not_asked_where_the_status_file_answers(wish: str | None) -> None:
    """A look at packages that are as desired starts no program."""
    ports = host("1.0")
    assert compare(ports, **({} if wish is None else {"version": wish})).action == "none"
    assert ports.programs.calls == []


@pytest.mark.parametrize(
    ("want", "version", "hold", "expected"),
    [
        ("install", "1.0", True, ["x1:amd64 hold"]),
        ("hold", "1.0", False, ["x1:amd64 install"]),
        ("hold", "1.0", True, []),
        ("hold", "1.2", True, ["x1=1.2", "x1:amd64 hold"]),
        ("hold", "1.2", False, ["x1=1.2", "x1:amd64 install"]),
    ],
)
def test_a_hold_is_set_and_lifted_by_itself(
    want: str, version: str, hold: bool, expected: list[str]
) -> None:
    """The package is not installed anew for it; after an installation it is set again."""
    difference = compare(host("1.0", want=want), version=version, hold=hold)
    said = [command.removeprefix("--set-selections ") for command in commands(difference)]
    assert said == expected


def test_somebody_elses_hold_is_an_error_and_for_latest_a_remark() -> None:
    held = host("1.0", want="hold")
    assert compare(held, version="1.2").action == "error"
    assert compare(held, ensure="absent").action == "error"
    latest = compare(held, version="latest")
    assert (latest.action, latest.message) == ("none", "held at 1.0, not 1.10")


@pytest.mark.parametrize("state", ["unpacked", "half-configured"])
def test_what_stopped_half_way_is_finished_and_not_upgraded(state: str) -> None:
    difference = compare(host("1.0", state))
    assert [change.field for change in difference.changes] == ["status"]
    assert commands(difference) == ["x1=1.0"]


def test_a_half_installed_package_is_installed_anew() -> None:
    """Its files are not all there, and its old version may be nowhere to be had."""
    assert commands(compare(host("1.0", "half-installed"))) == ["x1"]


def test_an_absent_package_is_removed_alone() -> None:
    """Configuration that is left behind is no package; the rehearsal comes first."""
    assert compare(host(), ensure="absent").action == "none"
    assert compare(host("1.0", "config-files"), ensure="absent").action == "none"
    difference = compare(host("1.0"), ensure="absent")
    assert commands(difference) == ["check", "x1", "x1"]
    rehearsal = difference.steps[1]
    assert isinstance(rehearsal, RunScript)
    assert "--no-act" in rehearsal.call.argv


def test_a_decision_binds_what_an_installed_package_becomes() -> None:
    """A newer version in the index makes an approved upgrade stale, but not a new installation."""
    spec: dict[str, Json] = {"name": "x1", "version": "latest"}
    old, new = host("1.0"), host("1.0")
    new.index["x1"].append("1.11")
    states = [KIND.observe(spec, ports, verify=False).state() for ports in (old, new)]
    assert states[0] != states[1]
    spec["version"] = ">= 1.1"
    old, new = host(), host()
    new.index["x1"].append("1.11")
    states = [KIND.observe(spec, ports, verify=False).state() for ports in (old, new)]
    assert states[0] == states[1]


@pytest.mark.parametrize("version", ["1.0", None])
def test_a_package_that_is_no_longer_desired_is_kept(version: str | None) -> None:
    spec: dict[str, Json] = {"name": "x1"}
    applied = AppliedResource(resource("package-apt", "x1", spec), created=True)
    undo = KIND.undo(spec, KIND.observe(spec, host(version), verify=False), applied)
    assert undo.steps == ()
    assert undo.message


def test_an_absent_package_has_neither_version_nor_hold() -> None:
    spec: dict[str, Json] = {"name": "x1", "ensure": "absent", "version": "1", "hold": True}
    assert [problem.field for problem in KIND.validate(spec)] == ["version", "hold"]


@pytest.mark.parametrize("name", ["nginx", "g++", "libc6:i386", "python3.11", "0ad"])
def test_names_of_debian_are_accepted(name: str) -> None:
    assert KIND.validate({"name": name, "version": ">= 1, << 2~"}) == []


def test_the_status_file_of_the_root_is_watched() -> None:
    assert KIND.watches({"name": "x1"}) == ("/var/lib/dpkg/status",)
    assert PackageApt("/r/").watches({"name": "x1"}) == ("/r/var/lib/dpkg/status",)
