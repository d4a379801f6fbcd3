"""The kinds hostname, timezone and sysctl on a booted minimal Debian with a network of its own."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from protocol.canonical import Json
from tests.fakes.booted import Booted, Host, booted, missing

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def system() -> Generator[Booted, None, None]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with booted() as running:
        yield running


def wish(kind: str, **spec: Json) -> dict[str, Json]:
    return {"resource": {kind: spec}}


def test_name_zone_and_parameter_hold_now_and_after_the_boot(system: Booted) -> None:
    """As the system's own tools see them; twice is once; an edit is drift and is put right."""
    host = Host(system, "kernel")
    host.module(
        wish("hostname", name="renamed-1"),
        wish("timezone", name="Europe/Berlin"),
        wish("sysctl", key="net.ipv4.ip_forward", value=1),
        wish("sysctl", key="net.ipv4.ip_local_port_range", value="20000 30000"),
    )
    assert set(host.apply().values()) == {"changed"}
    assert set(host.apply().values()) == {"unchanged"}
    assert system.run("hostname").stdout == "renamed-1\n"
    assert system.run("cat", "/etc/hostname").stdout == "renamed-1\n"
    assert system.run("date", "-d", "@0", "+%z").stdout == "+0100\n"
    assert system.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    assert system.run("cat", "/proc/sys/net/ipv4/ip_local_port_range").stdout == "20000\t30000\n"

    system.run("hostname", "somebody")
    system.run("ln", "-sf", "/usr/share/zoneinfo/UTC", "/etc/localtime")
    system.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    assert set(host.drifted()) == {"hostname", "timezone", "net.ipv4.ip_forward"}
    # systemd itself reads what we have written for the boot.
    load = system.run("/lib/systemd/systemd-sysctl", "--prefix=/net/ipv4/ip_forward")
    assert load.returncode == 0, load.stderr
    assert system.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    assert host.apply()["hostname"] == "changed"
    assert host.drifted() == {}

    host.module(wish("hostname", name="renamed-1"))
    assert host.apply()["net.ipv4.ip_forward"] == "removed"
    assert system.run("ls", "/etc/sysctl.d").stdout.count("ip_") == 0


def test_a_value_that_the_kernel_refuses_is_a_failure(system: Booted) -> None:
    """Its own words are in the error, and no file waits for the next boot."""
    host = Host(system, "refused")
    host.module(wish("sysctl", key="net.ipv4.ip_default_ttl", value="many"))
    assert "Invalid argument" in host.apply(expect="failed")["net.ipv4.ip_default_ttl"]
    assert system.run("ls", "/etc/sysctl.d").stdout.count("default_ttl") == 0
