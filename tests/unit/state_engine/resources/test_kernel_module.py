"""The kind kernel-module."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context, Difference, RunScript
from state_engine.resources.kernel_module import KernelModule
from tests.fakes.kernel import RELEASE, KernelPorts
from tests.fakes.ports import Node

KIND = KernelModule()


def compared(ports: KernelPorts, spec: dict[str, Json]) -> Difference:
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


@pytest.mark.parametrize("name", ["", "-r", "--all", "a b", "a/b", "a\n", "é", "x" * 57])
def test_what_is_no_modules_name_is_refused(name: str) -> None:
    assert len(KIND.validate({"name": name})) == 1


def test_dashes_and_underscores_are_one() -> None:
    assert KIND.identity({"name": "br-netfilter"}, None) == "br_netfilter"
    ports = KernelPorts()
    ports.kernel.say("/proc/modules", "br_netfilter 1 0 - Live 0x0\nbr_netfilter_x 1 0 - Live 0x0")
    found = compared(ports, {"name": "br-netfilter"})
    assert [change.field for change in found.changes] == ["at boot"]


def test_it_is_loaded_before_the_boot_is_told() -> None:
    """A module that there is none of must not be asked for at every boot."""
    found = compared(KernelPorts(), {"name": "loop"})
    assert found.action == "create"
    first, _ = KIND.steps({"name": "loop"}, found)
    assert isinstance(first, RunScript)
    assert first.call.argv == ("modprobe", "--", "loop")


def test_what_is_built_in_is_there_and_cannot_go() -> None:
    ports = KernelPorts()
    path = f"/lib/modules/{RELEASE}/modules.builtin"
    ports.files.put(path, Node("file", 0o644, 0, 0, b"kernel/drivers/block/loop.ko\n"))
    found = compared(ports, {"name": "loop"})
    assert [change.field for change in found.changes] == ["at boot"]
    assert compared(ports, {"name": "loop", "ensure": "absent"}).action == "error"
