"""What holds for addresses and routes from every starting state of a network."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.engine.plan import make_plan
from state_engine.engine.steps import Outcome, carry_out
from state_engine.model import ResolvedResource, Snapshot
from state_engine.ports import Address, Route
from state_engine.resources.contract import Context, reversible, risk_of
from state_engine.resources.registry import KINDS
from tests.fakes.network import NetworkPorts
from tests.fakes.resources import resource

LINKS = st.sampled_from(["eth0", "eth1"])
ADDRESSES = st.sampled_from(["192.0.2.7/24", "192.0.2.8/24", "2001:db8::7/64"])
ROUTES = st.sampled_from(["0.0.0.0/0", "198.51.100.0/24", "2001:db8:1::/48"])
OWN = "standfast-"


@dataclass
class Story:
    """A host and what is desired of it."""

    ports: NetworkPorts
    resources: list[ResolvedResource]


def desired(kind: str, spec: dict[str, Json]) -> ResolvedResource:
    assert KINDS[kind].validate(spec) == [], spec
    identity = KINDS[kind].identity(spec, None)
    assert identity is not None
    return resource(kind, identity, spec)


def gateway(destination: str) -> str:
    return "2001:db8::fe" if ":" in destination else "192.0.2.254"


@st.composite
def stories(draw: st.DrawFn) -> Story:
    ports = NetworkPorts()
    # The gateways are always reached, by addresses that no wish is about.
    held = [Address("eth0", "192.0.2.1/24"), Address("eth0", "2001:db8::1/64")]
    for name, address in draw(st.sets(st.tuples(LINKS, ADDRESSES))):
        held.append(Address(name, address, permanent=draw(st.booleans())))
    ports.network.held_addresses = held
    for destination in draw(st.sets(ROUTES)):
        metric = 1024 if ":" in destination else 0
        way = (draw(LINKS), draw(st.sampled_from([None, gateway(destination)])))
        ports.network.held_routes.append(Route(destination, 254, metric, *way))
    ports.network.held_routes.append(Route("198.51.100.0/24", 7, 0, "eth1"))
    configured = [draw(st.sampled_from(["networkd", "ifupdown"])) for _ in range(2)]
    for index, who in enumerate(configured):
        if who == "networkd":
            ports.networkd(index + 2, f"/etc/systemd/network/{index}.network")
    ports.ifupdown(*(f"eth{index}" for index, who in enumerate(configured) if who == "ifupdown"))
    ensure = st.sampled_from(["present", "absent"])
    persist = st.sampled_from(["auto", "none"])
    wishes = [
        desired(
            "network-address",
            {
                "interface": name,
                "address": address,
                "persist": draw(persist),
                "ensure": draw(ensure),
            },
        )
        for name, address in draw(st.sets(st.tuples(LINKS, ADDRESSES), min_size=1))
    ]
    for destination in draw(st.sets(ROUTES)):
        spec: dict[str, Json] = {
            "destination": destination, "interface": draw(LINKS), "persist": draw(persist),
            "ensure": draw(ensure),
        }  # fmt: skip
        if draw(st.booleans()):
            spec["via"] = gateway(destination)
        wishes.append(desired("network-route", spec))
    story = Story(ports, wishes)
    if draw(st.booleans()):  # an earlier apply of other wishes left its files
        earlier = [
            desired(each.kind, {**each.spec, "persist": draw(persist), "ensure": draw(ensure)})
            for each in wishes
        ]
        apply_plan("op", "node", earlier, Snapshot(), ports, approved=None)
    return story


@given(stories())
def test_a_plan_after_an_apply_is_empty(story: Story) -> None:
    """The plan changes nothing; what is approved is done; the network and the files are right."""
    before = (story.ports.tree(), story.ports.running())
    calls = len(story.ports.programs.calls)
    plan = make_plan("node", story.resources, Snapshot(), story.ports)
    assert (story.ports.tree(), story.ports.running()) == before
    assert len(story.ports.programs.calls) == calls
    assert plan.summary.error == 0, plan
    digests = frozenset(item.digest for item in plan.resources if item.digest)
    outcome = apply_plan(
        "op", "node", story.resources, Snapshot(), story.ports, approved=digests
    )  # fmt: skip
    assert outcome.result.status == "succeeded", outcome.result
    again = make_plan("node", story.resources, outcome.snapshot, story.ports)
    assert again.summary.none == len(story.resources), again
    assert find_drift(outcome.snapshot, story.ports) == ()
    addresses, routes = story.ports.running()
    for wish in story.resources:
        spec = wish.spec
        if wish.kind == "network-address":
            wanted = Address(str(spec["interface"]), str(spec["address"]))
            there = wanted in addresses
        else:
            there = any(each.destination == spec["destination"] for each in routes - ELSEWHERE)
        assert there == (spec["ensure"] == "present")
    files = [path for path in story.ports.files.nodes if OWN in path]
    kept = [each for each in story.resources if (each.spec["ensure"], each.spec["persist"]) == KEEP]
    assert len(files) == len(kept), files


ELSEWHERE = frozenset({Route("198.51.100.0/24", 7, 0, "eth1")})
KEEP = ("present", "auto")


@given(stories())
def test_what_is_not_ours_stays(story: Story) -> None:
    """Addresses and routes that no wish names are there after apply and removal."""
    named = {(each.spec.get("interface"), each.spec.get("address")) for each in story.resources}
    named |= {(None, each.spec.get("destination")) for each in story.resources}
    addresses, routes = story.ports.running()
    others = {each for each in addresses if (each.interface, each.address) not in named}
    ways = {each for each in routes if (None, each.destination) not in named} | ELSEWHERE
    outcome = apply_plan(
        "op", "node", story.resources, Snapshot(), story.ports, approved=None
    )  # fmt: skip
    outcome = apply_plan("op", "node", [], outcome.snapshot, story.ports, approved=None)
    assert (outcome.result.status, outcome.snapshot.applied) == ("succeeded", ())
    left, left_ways = story.ports.running()
    assert others <= left
    assert ways <= left_ways


@given(stories(), st.booleans())
def test_revert_brings_back_what_was_there(story: Story, half: bool) -> None:
    """Worked out before acting, and right whether the act was done, done twice, or not at all."""
    for wish in story.resources:
        kind = KINDS[wish.kind]
        able = reversible(kind)
        assert able is not None
        assert risk_of(kind) == "connectivity"
        before = (story.ports.tree(), story.ports.running())
        observation = kind.observe(wish.spec, story.ports, verify=True)
        back = able.revert(wish.spec, observation, {})
        difference = kind.compare(wish.spec, observation, Context())
        if difference.action == "none":
            continue
        steps = kind.steps(wish.spec, difference)
        carry_out(steps[:1] if half else steps, story.ports, Outcome())
        for _ in range(2):
            carry_out(back, story.ports, Outcome())
            files, running = before
            found = story.ports.tree()
            # A directory that was made for a file stays; a limited lifetime is not counted again.
            assert {key: value for key, value in found.items() if value[0] != "directory"} == {
                key: value for key, value in files.items() if value[0] != "directory"
            }
            assert forever(story.ports.running()) == forever(running)


def forever(
    running: tuple[frozenset[Address], frozenset[Route]],
) -> tuple[frozenset[Address], frozenset[Route]]:
    addresses, routes = running
    return frozenset(msgspec.structs.replace(each, permanent=True) for each in addresses), routes
