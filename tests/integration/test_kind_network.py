"""The kinds network-address and network-route on a kernel's network of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.steps import Outcome, carry_out
from state_engine.host.linux import LinuxPorts
from state_engine.model import ResolvedResource, Snapshot
from state_engine.resources.contract import Context
from state_engine.resources.network_address import NetworkAddress
from state_engine.resources.network_route import NetworkRoute
from state_engine.resources.registry import KINDS
from tests.fakes import namespaces
from tests.fakes.namespaces import inside, run
from tests.fakes.resources import resource

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs_root,
    pytest.mark.usefixtures("_able"),
]


@pytest.fixture
def _able() -> None:
    reason = namespaces.missing("ip")
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def ports(tmp_path: Path) -> LinuxPorts:
    return LinuxPorts(tmp_path / "state", b"k" * 32)


def wish(kind: str, **spec: Json) -> ResolvedResource:
    spec = {"persist": "none", **spec}
    assert KINDS[kind].validate(spec) == []
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    return resource(kind, identity, spec)


def bridge() -> None:
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "br-test", "type", "bridge")
    run("ip", "link", "set", "br-test", "up")


def test_addresses_and_routes_live_and_go(ports: LinuxPorts) -> None:
    """As `ip` shows them; twice is once; what somebody changes is drift; removal takes them off."""
    wishes = [
        wish("network-address", interface="br-test", address="192.0.2.7/24"),
        wish("network-address", interface="br-test", address="2001:db8::7/64"),
        wish(
            "network-route",
            destination="198.51.100.0/24",
            interface="br-test",
            via="192.0.2.254",
            source="192.0.2.7",
            metric=50,
        ),
        wish("network-route", destination="::/0", interface="br-test", via="2001:db8::fe"),
        wish("network-route", destination="203.0.113.0/24", interface="br-test", table=70_000),
    ]

    def story() -> None:
        bridge()
        run("ip", "address", "add", "192.0.2.1/24", "dev", "br-test")
        done = apply_plan("op", "node", wishes, Snapshot(), ports, approved=None)
        assert done.result.status == "succeeded", done.result
        shown = run("ip", "address", "show", "dev", "br-test")
        assert "inet 192.0.2.7/24" in shown
        assert "inet6 2001:db8::7/64" in shown
        assert (
            "198.51.100.0/24 via 192.0.2.254 dev br-test proto static src 192.0.2.7 metric 50"
            in (run("ip", "route"))
        )
        assert "default via 2001:db8::fe" in run("ip", "-6", "route")
        assert "203.0.113.0/24 dev br-test" in run("ip", "route", "show", "table", "70000")
        plan = make_plan("node", wishes, done.snapshot, ports)
        assert plan.summary.none == len(wishes)

        run("ip", "route", "replace", "198.51.100.0/24", "dev", "br-test", "metric", "50")
        run("ip", "address", "change", "192.0.2.7/24", "dev", "br-test", "valid_lft", "900",
            "preferred_lft", "900")  # fmt: skip
        fields = {item.identity: item.changes[0].field for item in find_drift(done.snapshot, ports)}
        assert fields == {
            "br-test 192.0.2.7/24": "lifetime", "198.51.100.0/24 metric 50": "via",
        }  # fmt: skip
        again = apply_plan("op", "node", wishes, done.snapshot, ports, approved=None)
        assert [each.status for each in again.result.resources].count("changed") == 2
        assert find_drift(again.snapshot, ports) == ()

        end = apply_plan("op", "node", [], again.snapshot, ports, approved=None)
        assert end.result.status == "succeeded", end.result
        shown = run("ip", "address", "show", "dev", "br-test")
        assert "192.0.2.1/24" in shown
        assert "192.0.2.7/24" not in shown
        assert "198.51.100.0" not in run("ip", "route")
        assert "default" not in run("ip", "-6", "route")

    inside(story)


@pytest.mark.parametrize(
    ("destination", "via", "other"),
    [
        ("198.51.100.0/24", "192.0.2.254", "192.0.2.253"),
        ("2001:db8:1::/48", "2001:db8::fe", "2001:db8::fd"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("acted", [False, True])
def test_a_revert_brings_back_the_route(
    ports: LinuxPorts, destination: str, via: str, other: str, there: bool, acted: bool
) -> None:
    """Also where there was none, and where the act never happened; twice is once."""
    kind = NetworkRoute()
    spec: dict[str, Json] = {
        "destination": destination, "interface": "br-test", "via": via, "persist": "none",
    }  # fmt: skip

    def story() -> None:
        bridge()
        run("ip", "address", "add", "192.0.2.1/24", "dev", "br-test")
        run("ip", "address", "add", "2001:db8::1/64", "dev", "br-test", "nodad")
        if there:
            run("ip", "route", "add", destination, "via", other, "dev", "br-test")
        family = "-6" if ":" in destination else "-4"
        before = run("ip", family, "route").replace("proto static ", "")
        observation = kind.observe(spec, ports, verify=True)
        back = kind.revert(spec, observation, {})
        if acted:
            difference = kind.compare(spec, observation, Context())
            carry_out(kind.steps(spec, difference), ports, Outcome())
            assert via in run("ip", family, "route")
        for _ in range(2):
            carry_out(back, ports, Outcome())
            assert run("ip", family, "route").replace("proto static ", "") == before

    inside(story)


def test_a_revert_takes_an_address_off_again(ports: LinuxPorts) -> None:
    kind = NetworkAddress()
    spec: dict[str, Json] = {"interface": "br-test", "address": "192.0.2.7/24", "persist": "none"}

    def story() -> None:
        bridge()
        back = kind.revert(spec, kind.observe(spec, ports, verify=True), {})
        run("ip", "address", "add", "192.0.2.7/24", "dev", "br-test")
        for _ in range(2):
            carry_out(back, ports, Outcome())
            assert "192.0.2.7" not in run("ip", "address")

    inside(story)


def test_a_gateway_that_nothing_reaches_is_a_failure(ports: LinuxPorts) -> None:
    """The kernel's own words are in the error, and nothing is kept for the next boot."""
    bad = wish(
        "network-route", destination="198.51.100.0/24", interface="br-test", via="203.0.113.1"
    )

    def story() -> str:
        bridge()
        result = apply_plan("op", "node", [bad], Snapshot(), ports, approved=None).result
        assert result.status == "failed"
        return result.resources[0].error or ""

    assert "gateway" in inside(story)
