"""The kind sysctl."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.resources.contract import Context, WriteFile
from state_engine.resources.sysctl import Sysctl
from tests.fakes.kernel import KernelPorts

KIND = Sysctl()


@pytest.mark.parametrize(
    ("key", "plain", "path"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/ip_forward", "net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/conf/eth0.1/rp", "net/ipv4/conf/eth0.1/rp", "net-ipv4-conf-eth0.1-rp"),
        ("net.ipv4.conf.eth0/1.rp", "net/ipv4/conf/eth0.1/rp", "net-ipv4-conf-eth0.1-rp"),
    ],
)
def test_a_parameter_has_one_name(key: str, plain: str, path: str) -> None:
    """However it is written, as sysctl.d(5) says: two modules cannot both claim it unseen."""
    spec: dict[str, Json] = {"key": key, "value": 1}
    assert KIND.identity(spec, None) == plain
    assert KIND.watches(spec) == (f"/etc/sysctl.d/60-{path}.conf",)


@pytest.mark.parametrize(
    "spec",
    [
        {"key": "a..b", "value": 1},
        {"key": "a/../b", "value": 1},
        {"key": "a b", "value": 1},
        {"key": "a\n.b", "value": 1},
        {"key": "a.b"},
        {"key": "a.b", "value": " "},
        {"key": "a.b", "value": "1\nkernel.x = 2"},
    ],
)
def test_what_is_no_parameter_or_value_is_refused(spec: dict[str, Json]) -> None:
    assert len(KIND.validate(spec)) == 1


def test_both_places_are_shown() -> None:
    ports = KernelPorts()
    ports.kernel.say("/proc/sys/net/ipv4/ip_forward", "0")
    spec: dict[str, Json] = {"key": "net.ipv4.ip_forward", "value": 1}
    found = KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())
    assert found.action == "create"
    assert found.changes[0].current == "file: nothing; kernel: 0"
    kernel, file = KIND.steps(spec, found)
    assert isinstance(file, WriteFile)
    assert file.content.endswith(b"net.ipv4.ip_forward = 1\n")
    assert kernel != file


def test_a_parameter_that_is_not_there_yet_is_planned() -> None:
    """A kernel module of the same plan may bring it."""
    spec: dict[str, Json] = {"key": "net.bridge.x", "value": 1}
    found = KIND.compare(spec, KIND.observe(spec, KernelPorts(), verify=False), Context())
    assert (found.action, "may have to be loaded" in (found.message or "")) == ("create", True)


def test_the_root_can_be_another(tmp_path: Path) -> None:
    kind = Sysctl(f"{tmp_path}/")
    assert kind.watches({"key": "a.b"}) == (f"{tmp_path}/etc/sysctl.d/60-a.b.conf",)
