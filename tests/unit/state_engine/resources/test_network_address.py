"""The kind network-address."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.ports import Address
from state_engine.resources.contract import Context, Difference, RunScript, WriteFile
from state_engine.resources.network_address import NetworkAddress
from tests.fakes.network import NetworkPorts
from tests.fakes.resources import resource

KIND = NetworkAddress()
SPEC: dict[str, Json] = {"interface": "eth0", "address": "192.0.2.7/24"}


def compared(ports: NetworkPorts, **more: Json) -> Difference:
    spec = {**SPEC, **more}
    assert KIND.validate(spec) == []
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


@pytest.mark.parametrize(
    "address",
    ["", "192.0.2.7", "192.0.2.7/33", "192.0.2.7/255.255.255.0", "host/24", "::1%eth0/64",
     "0.0.0.0/8", "ff02::1/64", "192.0.2.7/24\n", "192.0.2.7/²4", "-192.0.2.7/24"],
)  # fmt: skip
def test_what_is_no_hosts_address_is_refused(address: str) -> None:
    assert [each.field for each in KIND.validate({**SPEC, "address": address})] == ["address"]


def test_one_address_has_one_identity() -> None:
    names = {
        KIND.identity({"interface": "eth0", "address": address}, None)
        for address in ("2001:db8::7/64", "2001:DB8:0:0::7/64", "2001:0db8::0007/64")
    }
    assert names == {"eth0 2001:db8::7/64"}


def test_the_kernel_is_asked_before_the_boot_is_told() -> None:
    """What it refuses must not wait in a file."""
    ports = NetworkPorts()
    ports.networkd(2)
    difference = compared(ports)
    assert difference.action == "create"
    first, *_, last = KIND.steps(SPEC, difference)
    assert isinstance(first, RunScript)
    assert first.call.argv == ("ip", "address", "replace", "192.0.2.7/24", "dev", "eth0")
    assert isinstance(last, WriteFile)
    assert last.content.endswith(b"[Address]\nAddress=192.0.2.7/24\n")


def test_the_same_address_with_another_length_is_another_one() -> None:
    ports = NetworkPorts()
    ports.network.held_addresses.append(Address("eth0", "192.0.2.7/25"))
    ports.network.held_addresses.append(Address("eth1", "192.0.2.7/24"))
    assert compared(ports, persist="none").action == "create"


def test_what_somebody_else_has_is_an_error() -> None:
    ports = NetworkPorts()
    ports.network.held_addresses.append(Address("eth0", "192.0.2.7/24", duplicate=True))
    assert "another host" in (compared(ports, persist="none").message or "")


def test_a_missing_interface_is_an_error_and_absent_there() -> None:
    ports = NetworkPorts()
    assert "no interface" in (compared(ports, interface="eth9").message or "")
    assert compared(ports, interface="eth9", ensure="absent").action == "none"


@pytest.mark.parametrize("created", [False, True])
def test_only_what_we_set_is_taken_off(created: bool) -> None:
    ports = NetworkPorts()
    ports.network.held_addresses.append(Address("eth0", "192.0.2.7/24"))
    applied = AppliedResource(resource("network-address", "x", SPEC), created=created)
    found = KIND.observe(SPEC, ports, verify=False)
    assert len(KIND.undo(SPEC, found, applied).steps) == created
