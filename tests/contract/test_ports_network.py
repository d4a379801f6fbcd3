"""What every implementation of the network port promises: the fake, and the kernel's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from state_engine.host.network import LinuxNetwork
from state_engine.ports import Address, Link, NetworkPort, Route
from tests.fakes import namespaces
from tests.fakes.ports import FakeNetwork


class World(Protocol):
    """A network port, and the ways to change what it sees."""

    port: NetworkPort

    def link(self, name: str) -> None: ...
    def address(self, name: str, address: str) -> None: ...
    def route(self, destination: str, via: str, name: str, table: int, metric: int) -> None: ...


class Fake:
    def __init__(self) -> None:
        self.port: NetworkPort = FakeNetwork()
        self.fake = FakeNetwork()
        self.port = self.fake

    def link(self, name: str) -> None:
        self.fake.held_links.append(Link(name, len(self.fake.held_links) + 1, up=True))

    def address(self, name: str, address: str) -> None:
        self.fake.held_addresses.append(Address(name, address))

    def route(self, destination: str, via: str, name: str, table: int, metric: int) -> None:
        self.fake.held_routes.append(Route(destination, table, metric, name, via))


class Kernel:
    """The network namespace of the calling thread."""

    def __init__(self) -> None:
        self.port: NetworkPort = LinuxNetwork()
        namespaces.run("ip", "link", "set", "lo", "up")

    def link(self, name: str) -> None:
        namespaces.run("ip", "link", "add", name, "type", "bridge")
        namespaces.run("ip", "link", "set", name, "up")

    def address(self, name: str, address: str) -> None:
        namespaces.run("ip", "address", "add", address, "dev", name, "nodad")

    def route(self, destination: str, via: str, name: str, table: int, metric: int) -> None:
        words = ("table", str(table), "metric", str(metric), "proto", "static")
        namespaces.run("ip", "route", "add", destination, "via", via, "dev", name, *words)


Tell = Callable[[Callable[[World], None]], None]


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.needs_root)])
def tell(request: pytest.FixtureRequest) -> Tell:
    if request.param == "fake":
        return lambda story: story(Fake())
    reason = namespaces.missing("ip")
    if reason is not None:
        pytest.skip(reason)
    return lambda story: namespaces.inside(lambda: story(Kernel()))


def test_links_have_names_and_numbers(tell: Tell) -> None:
    """The loopback link is always there; a new one is seen at once, with an index of its own."""

    def story(world: World) -> None:
        world.link("br-test")
        links = {link.name: link for link in world.port.links()}
        assert links["lo"].index == 1
        assert links["br-test"].up
        assert len({link.index for link in links.values()}) == len(links)

    tell(story)


def test_addresses_carry_their_length_and_their_link(tell: Tell) -> None:
    """In the one form that each address has, for both families; each link has its own."""

    def story(world: World) -> None:
        world.link("br-test")
        world.address("br-test", "192.0.2.1/24")
        world.address("br-test", "192.0.2.2/24")
        world.address("br-test", "2001:db8::1/64")
        found = [each for each in world.port.addresses() if each.interface == "br-test"]
        # The kernel gives every link an IPv6 address of its own.
        seen = {each.address for each in found if not each.address.startswith("fe80:")}
        assert seen == {"192.0.2.1/24", "192.0.2.2/24", "2001:db8::1/64"}
        assert all(each.permanent and not each.duplicate for each in found)

    tell(story)


def test_routes_are_told_by_table(tell: Tell) -> None:
    """Destination, gateway, link and metric; other tables are not mixed in; none is ()."""

    def story(world: World) -> None:
        world.link("br-test")
        world.address("br-test", "192.0.2.1/24")
        world.address("br-test", "2001:db8::1/64")
        world.route("0.0.0.0/0", "192.0.2.254", "br-test", 254, 0)
        world.route("198.51.100.0/24", "192.0.2.254", "br-test", 4000, 7)
        world.route("2001:db8:1::/48", "2001:db8::2", "br-test", 4000, 1024)
        main = [each for each in world.port.routes(254) if each.via is not None]
        assert main == [Route("0.0.0.0/0", 254, 0, "br-test", "192.0.2.254")]
        assert set(world.port.routes(4000)) == {
            Route("198.51.100.0/24", 4000, 7, "br-test", "192.0.2.254"),
            Route("2001:db8:1::/48", 4000, 1024, "br-test", "2001:db8::2"),
        }
        assert world.port.routes(4001) == ()

    tell(story)
