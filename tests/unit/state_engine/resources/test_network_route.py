"""The kind network-route."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.model import AppliedResource
from state_engine.ports import Route
from state_engine.resources.contract import Context, Difference, RunScript, WriteFile
from state_engine.resources.network_route import NetworkRoute
from tests.fakes.network import NetworkPorts
from tests.fakes.resources import resource

KIND = NetworkRoute()
SPEC: dict[str, Json] = {
    "destination": "198.51.100.0/24", "interface": "eth0", "via": "192.0.2.1", "persist": "none",
}  # fmt: skip


def compared(ports: NetworkPorts, **more: Json) -> Difference:
    spec = {**SPEC, **more}
    assert KIND.validate(spec) == []
    return KIND.compare(spec, KIND.observe(spec, ports, verify=False), Context())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("destination", "default"),
        ("destination", "198.51.100.1/24"),
        ("destination", "198.51.100.0"),
        ("destination", "-6"),
        ("via", "2001:db8::1"),
        ("via", "192.0.2.1 dev lo"),
        ("via", "-x"),
        ("source", "fe80::1%eth0"),
        ("source", "host"),
        ("table", 255),
        ("interface", "--x"),
    ],
)
def test_what_is_no_route_is_refused(field: str, value: Json) -> None:
    assert [each.field for each in KIND.validate({**SPEC, field: value})] == [field]


def test_destination_table_and_metric_name_a_route() -> None:
    def name(**more: Json) -> str | None:
        return KIND.identity({**SPEC, **more}, None)

    assert name() == name(metric=0, table=254, via="192.0.2.2") == "198.51.100.0/24"
    assert name(metric=5, table=7) == "198.51.100.0/24 table 7 metric 5"
    assert name(destination="2001:DB8::/32", metric=1024) == "2001:db8::/32"


def test_a_route_of_another_table_or_metric_is_another_one() -> None:
    ports = NetworkPorts()
    for table, metric in ((7, 0), (254, 5)):
        ports.network.held_routes.append(
            Route("198.51.100.0/24", table, metric, "eth0", "192.0.2.1")
        )
    difference = compared(ports)
    assert difference.action == "create"
    (step,) = KIND.steps(SPEC, difference)
    assert isinstance(step, RunScript)
    assert step.call.argv == (
        "ip", "-4", "route", "replace", "198.51.100.0/24", "table", "254", "metric", "0",
        "via", "192.0.2.1", "dev", "eth0", "proto", "static",
    )  # fmt: skip


def test_only_what_differs_is_shown() -> None:
    ports = NetworkPorts()
    ports.network.held_routes.append(
        Route("198.51.100.0/24", 254, 0, "eth1", "192.0.2.1", "192.0.2.9")
    )
    assert [each.field for each in compared(ports).changes] == ["interface"]
    assert [each.field for each in compared(ports, source="192.0.2.7").changes] == [
        "interface", "source",
    ]  # fmt: skip


def test_a_route_of_several_ways_is_left_to_its_maker() -> None:
    ports = NetworkPorts()
    ports.network.held_routes.append(Route("198.51.100.0/24", 254, 0, many=True))
    assert "several" in (compared(ports).message or "")


def test_both_keepers_are_told_the_same() -> None:
    """Of networkd by its keys, of ifupdown by the very command that sets it now."""
    spec = {**SPEC, "persist": "auto", "source": "192.0.2.7", "metric": 5}
    for tell in ("networkd", "ifupdown"):
        ports = NetworkPorts()
        if tell == "networkd":
            ports.networkd(2)
        else:
            ports.ifupdown("eth0")
        found = KIND.observe(spec, ports, verify=False)
        *_, last = KIND.steps(spec, KIND.compare(spec, found, Context()))
        assert isinstance(last, WriteFile)
        text = last.content.decode()
        if tell == "networkd":
            wanted = "Destination=198.51.100.0/24\nGateway=192.0.2.1\nPreferredSource=192.0.2.7\n"
            assert wanted + "Metric=5\nTable=254\n" in text
        else:
            assert "iface eth0 inet manual\n    up ip -4 route replace 198.51.100.0/24" in text


@pytest.mark.parametrize("created", [False, True])
def test_only_what_we_set_is_deleted(created: bool) -> None:
    ports = NetworkPorts()
    ports.network.held_routes.append(Route("198.51.100.0/24", 254, 0, "eth0", "192.0.2.1"))
    applied = AppliedResource(resource("network-route", "x", SPEC), created=created)
    found = KIND.observe(SPEC, ports, verify=False)
    assert len(KIND.undo(SPEC, found, applied).steps) == created
