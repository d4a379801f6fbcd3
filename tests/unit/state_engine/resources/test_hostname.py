"""The kind hostname."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context
from state_engine.resources.hostname import Hostname
from tests.fakes.kernel import KernelPorts
from tests.fakes.ports import Node

KIND = Hostname()
SPEC: dict[str, Json] = {"name": "web-1"}


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a..b", ".a", "a b", "é", "a\n", "x" * 64, "a_b", "$(x)"]
)
def test_what_is_no_hosts_name_is_refused(name: str) -> None:
    assert len(KIND.validate({"name": name})) == 1


@pytest.mark.parametrize("name", ["a", "web-1", "web-1.example.org", "x" * 63])
def test_a_hosts_name_is_taken(name: str) -> None:
    assert KIND.validate({"name": name}) == []


@pytest.mark.parametrize(
    ("written", "running", "action", "current"),
    [
        ("web-1\n", "web-1", "none", None),
        ("# said\n\nweb-1", "web-1", "none", None),
        ("old\n", "old", "update", "old"),
        ("web-1\n", "old", "update", "file: web-1; running: old"),
        (None, "web-1", "create", "file: None; running: web-1"),
    ],
)
def test_both_places_count(
    written: str | None, running: str, action: str, current: str | None
) -> None:
    ports = KernelPorts()
    ports.kernel.say("/proc/sys/kernel/hostname", running)
    if written is not None:
        ports.files.put("/etc/hostname", Node("file", 0o644, 0, 0, written.encode()))
    found = KIND.compare(SPEC, KIND.observe(SPEC, ports, verify=False), Context())
    assert found.action == action
    assert [change.current for change in found.changes] == ([] if current is None else [current])
    assert len(KIND.steps(SPEC, found)) == (0 if action == "none" else 2)


def test_a_host_has_one_name() -> None:
    """Two modules that name it differently claim the same thing."""
    assert KIND.identity({"name": "a"}, "x") == KIND.identity({"name": "b"}, None)
