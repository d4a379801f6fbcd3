"""A module's values, a user's files: none of them may say more to systemd than was meant."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.plan import make_plan
from state_engine.model import Snapshot
from state_engine.resources.parts import systemd_text
from state_engine.resources.registry import KINDS
from tests.fakes.ports import Node
from tests.fakes.resources import resource
from tests.fakes.systemd import ETC, SystemdPorts

pytestmark = pytest.mark.hostile

INJECTIONS = (
    "x\nExecStartPre=/bin/evil", "x\r\n[Service]\nUser=root", "x\\\nUser=root", "x\0y", "x\x85y",
    "x\u2028[Service]\u2028User=root", "x\\", "[Service]", "#", ";", '"', "'", "%%n%", "$(evil)",
)  # fmt: skip
FIELDS = ("description", "exec_start", "exec_reload", "user", "group", "working_directory")


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("field", FIELDS)
def test_no_value_adds_a_setting(field: str, value: str) -> None:
    """Refused, or a file in which there is nothing but what the fields say."""
    spec: dict[str, Json] = {"name": "web", "exec_start": "/bin/x", field: value}
    assert_tame(spec)


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("place", ["value", "key", "argument", "dependency"])
def test_no_entry_adds_a_setting(place: str, value: str) -> None:
    """The same of lists and mappings, whose entries are quoted."""
    spec: dict[str, Json] = {"name": "web", "exec_start": "/bin/x"}
    match place:
        case "value":
            spec["environment"] = {"A": value}
        case "key":
            spec["environment"] = {value: "1"}
        case "argument":
            spec["exec_start"] = ["/bin/x", value]
        case _:
            spec["dependencies"] = [value]
    assert_tame(spec)


def assert_tame(spec: dict[str, Json]) -> None:
    kind = KINDS["service-systemd"]
    if kind.validate(spec):
        return
    ports = SystemdPorts()
    wish = resource("service-systemd", "web", spec)
    result = apply_plan("op", "node", [wish], Snapshot(), ports, approved=None).result
    assert result.status == "succeeded", result
    text = ports.files.nodes[f"{ETC}/web.service"].content.decode()
    assert len(text.split("\n")) == len(text.splitlines()) + 1 or "\u2028" in text
    parsed = systemd_text.parse(text)
    assert {section for section, _ in parsed} <= {"Unit", "Service", "Install"}
    keys = {key for _, key in parsed}
    assert keys <= {
        "Description", "ExecStart", "ExecReload", "User", "Group", "WorkingDirectory",
        "Environment", "After", "Requires", "WantedBy",
    }  # fmt: skip
    assert ("User" in keys) == ("user" in spec)


@pytest.mark.parametrize("kind", ["service-systemd", "timer-systemd"])
@pytest.mark.parametrize(
    "name", ["--now", "-H", "../../etc/passwd", "a/b", "*", "a b", "a\n", "", ".", "a;b", "@a"]
)
def test_no_name_is_an_option_a_pattern_or_a_path(kind: str, name: str) -> None:
    spec: dict[str, Json] = {"name": name, "exec_start": "/bin/x"}
    if kind == "timer-systemd":
        spec = {"name": name, "every": 60}
    assert KINDS[kind].validate(spec)


@pytest.mark.parametrize("place", ["symlink", "directory", "other"])
def test_what_stands_in_the_units_place_is_not_followed(place: str) -> None:
    """A link to another file, a directory, a device: an error, and nothing is changed."""
    ports = SystemdPorts()
    node = Node("directory", 0o755, 0, 0, b"/etc/passwd")
    node.kind = "symlink" if place == "symlink" else "directory" if place != "other" else "other"
    ports.files.put(f"{ETC}/web.service", node)
    before = ports.tree()
    wishes: tuple[dict[str, Json], ...] = (
        {"name": "web", "exec_start": "/bin/x", "running": True},
        {"name": "web", "ensure": "absent"},
    )
    for spec in wishes:
        wish = resource("service-systemd", "web", spec)
        result = apply_plan("op", "node", [wish], Snapshot(), ports, approved=None).result
        assert result.resources[0].status == "failed"
        assert ports.tree() == before
        assert ports.systemd.calls == []


def test_a_secret_variable_is_in_no_plan() -> None:
    """Neither its new value nor the old one, under whatever field the change is shown."""
    ports = SystemdPorts()
    old = '[Service]\nExecStart=/bin/x\nEnvironment="KEY=old-secret"\nLoadCredential=old-secret\n'
    ports.files.put(f"{ETC}/web.service", Node("file", 0o644, 0, 0, old.encode()))
    spec: dict[str, Json] = {
        "name": "web", "exec_start": "/bin/x", "environment": {"KEY": "new-secret"},
    }  # fmt: skip
    wish = resource("service-systemd", "web", spec, sensitive=("environment",))
    plan = make_plan("node", [wish], Snapshot(), ports)
    assert plan.resources[0].action == "update"
    assert not any(f"{age}-secret" in repr(plan) for age in ("old", "new"))
