"""What may cut a host off."""

from __future__ import annotations

import pytest

from state_engine.engine.risk import risk_of_resource, risky
from state_engine.model import ResolvedResource
from tests.fakes.resources import a_directory, a_file, resource


def unit(name: str) -> ResolvedResource:
    return resource("service-systemd", name, {"name": name})


@pytest.mark.parametrize(
    "one",
    [
        a_file("/etc/ssh/sshd_config"),
        a_directory("/etc/ssh"),
        a_file("/etc/netplan/01.yaml"),
        a_file("/etc/resolv.conf"),
        unit("ssh"),
        unit("systemd-networkd.service"),
        resource("line-in-file", "/etc/hosts.deny: x", {"path": "/etc/hosts.deny", "line": "x"}),
    ],
)
def test_the_ways_into_a_host_are_risky(one: ResolvedResource) -> None:
    assert risk_of_resource(one) == "connectivity"
    assert risky([a_file("/etc/motd"), one])


@pytest.mark.parametrize(
    "one",
    [
        a_file("/etc/sshx"),
        a_file("/etc/ssh.d/x"),
        a_file("/etc/motd"),
        unit("nginx"),
        ResolvedResource("m", "no-kind", "/etc/ssh/x", {}),
    ],
)
def test_all_else_is_not(one: ResolvedResource) -> None:
    assert risk_of_resource(one) == "none"
    assert not risky([one])
