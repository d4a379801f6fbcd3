"""What the network's kinds leave for the boot, read by the programs of a booted Debian itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import pytest

from protocol.canonical import Json
from tests.fakes.booted import Booted, Host, booted, missing

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.timeout(300),
]

RULES = "chain input {\n  type filter hook input priority 10;\n  tcp dport 23 drop\n}\n"


@pytest.fixture(scope="module")
def system() -> Generator[Booted, None, None]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with booted() as running:
        yield running


def wish(kind: str, **spec: Json) -> dict[str, Json]:
    return {"resource": {kind: spec}}


def must(system: Booted, *argv: str) -> str:
    done = system.run(*argv)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def test_networkd_brings_address_and_route_back(system: Booted) -> None:
    """After its link was emptied it sets them again, from our drop-ins of its own network file."""
    must(system, "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    must(system, "ip", "link", "set", "lan1", "up")
    network = "[Match]\nName=lan0\n[Network]\nAddress=192.0.2.1/24\nLinkLocalAddressing=no\n"
    system.write("/etc/systemd/network/10-lan.network", network)
    must(system, "systemctl", "start", "systemd-networkd")
    wait = ("/lib/systemd/systemd-networkd-wait-online", "--interface=lan0", "--timeout=20")
    must(system, *wait)
    host = Host(system, "network")
    host.module(
        wish("network-address", interface="lan0", address="192.0.2.7/24"),
        wish(
            "network-route",
            destination="198.51.100.0/24",
            interface="lan0",
            via="192.0.2.254",
            metric=50,
        ),
    )
    assert set(host.apply().values()) == {"changed"}
    assert set(host.apply().values()) == {"unchanged"}
    assert must(system, "ls", "/etc/systemd/network/10-lan.network.d").count("standfast-") == 2
    # Its socket would start it again with the first change of the network.
    must(system, "systemctl", "stop", "systemd-networkd.socket", "systemd-networkd.service")
    must(system, "ip", "address", "flush", "dev", "lan0")
    assert len(host.drifted()) == 2
    must(system, "systemctl", "start", "systemd-networkd")
    must(system, *wait)
    until(lambda: "198.51.100.0/24" in must(system, "ip", "route"))
    assert host.drifted() == {}
    assert "192.0.2.7/24" in must(system, "ip", "address", "show", "dev", "lan0")
    host.module()
    assert set(host.apply().values()) == {"removed"}
    assert "standfast-" not in must(system, "ls", "/etc/systemd/network/10-lan.network.d")


def test_the_unit_loads_the_table_after_the_hosts_own(system: Booted) -> None:
    """The host's own service empties the ruleset when it starts; ours follows it, each time."""
    must(system, "systemctl", "start", "nftables.service")
    host = Host(system, "filter")
    host.module(wish("nftables", table="edge", ruleset=RULES))
    assert host.apply() == {"inet edge": "changed"}
    unit = "standfast-nftables-inet-edge.service"
    assert host.shown(unit, "UnitFileState") == "enabled"
    assert host.shown(unit, "ActiveState") == "active"
    must(system, "systemctl", "restart", "nftables.service")
    until(lambda: "tcp dport 23 drop" in must(system, "nft", "list", "ruleset"))
    assert "table inet filter" in must(system, "nft", "list", "ruleset")
    assert host.drifted() == {}
    must(system, "nft", "flush", "ruleset")
    assert set(host.drifted()) == {"inet edge"}
    must(system, "systemctl", "restart", unit)
    assert host.drifted() == {}
    must(system, "systemd-analyze", "verify", unit)
    host.module()
    assert host.apply() == {"inet edge": "removed"}
    assert host.shown(unit, "LoadState") == "not-found"


def until(holds: Callable[[], bool]) -> None:
    """Wait until what systemd does by itself, after the command that it was given, is done."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
