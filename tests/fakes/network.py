"""A running network in memory: what `ip` does to it, and the files of who configures it."""

from __future__ import annotations

import ipaddress

from protocol.reports import CapturedStream
from state_engine.ports import Address, Link, ProgramCall, Route
from tests.fakes.ports import FakePorts, FakePrograms, Node

FOLDERS = (
    "/etc", "/etc/systemd", "/etc/systemd/network", "/etc/network", "/etc/network/interfaces.d",
    "/run", "/run/systemd", "/run/systemd/netif", "/run/systemd/netif/links",
)  # fmt: skip


class FakeIp(FakePrograms):
    """`ip` as far as the kinds use it; a gateway is only taken if an address reaches it."""

    def __init__(self, ports: FakePorts) -> None:
        super().__init__()
        self.files = ports.files
        self.network = ports.network

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        match call.argv:
            case ("rm", "-f", "--", path):
                self.files.nodes.pop(path, None)
                return CapturedStream(0, "", "")
            case ("ip", "address", verb, address, "dev", name):
                return self._address(verb, address, name)
            case ("ip", "-4" | "-6", "route", verb, *words):
                return self._route(verb, words)
            case _:
                return CapturedStream(1, "", f"{call.argv[0]}: cannot do that")

    def _address(self, verb: str, address: str, name: str) -> CapturedStream:
        held = self.network.held_addresses
        same = [each for each in held if (each.interface, each.address) == (name, address)]
        if all(link.name != name for link in self.network.held_links):
            return CapturedStream(1, "", f'Cannot find device "{name}"')
        if verb == "del" and not same:
            return CapturedStream(2, "", "RTNETLINK answers: Cannot assign requested address")
        for each in same:
            held.remove(each)
        if verb == "replace":
            held.append(Address(name, address))
        return CapturedStream(0, "", "")

    def _route(self, verb: str, words: list[str]) -> CapturedStream:
        nowhere = words[0] == "unreachable"
        destination, *rest = words[1:] if nowhere else words
        found = dict(zip(rest[::2], rest[1::2], strict=True))
        key = (destination, int(found["table"]), int(found["metric"]))
        held = self.network.held_routes
        same = [each for each in held if (each.destination, each.table, each.metric) == key]
        if verb == "del" and not same:
            return CapturedStream(2, "", "RTNETLINK answers: No such process")
        via = found.get("via")
        if verb == "replace" and via is not None and not self._reaches(via):
            return CapturedStream(2, "", "Error: Nexthop has invalid gateway.")
        for each in same:
            held.remove(each)
        if verb == "replace":
            device, source = found.get("dev"), found.get("src")
            held.append(Route(*key, interface=device, via=via, source=source))
        return CapturedStream(0, "", "")

    def _reaches(self, via: str) -> bool:
        networks = [ipaddress.ip_interface(each.address) for each in self.network.held_addresses]
        return any(ipaddress.ip_address(via) in each.network for each in networks)


class NetworkPorts(FakePorts):
    """Fake ports with the links `eth0` (number 2) and `eth1` (3)."""

    def __init__(self) -> None:
        super().__init__()
        self.programs = FakeIp(self)
        for folder in FOLDERS:
            self.files.put(folder, Node("directory", 0o755, 0, 0))
        self.network.held_links += [Link("eth0", 2, up=True), Link("eth1", 3, up=True)]

    def say(self, path: str, text: str) -> None:
        """Put a file of root's."""
        self.files.put(path, Node("file", 0o644, 0, 0, text.encode()))

    def networkd(self, index: int, file: str = "/etc/systemd/network/10-lan.network") -> None:
        """Let systemd-networkd configure a link."""
        text = f"ADMIN_STATE=configured\nNETWORK_FILE={file}\n"
        self.say(f"/run/systemd/netif/links/{index}", text)

    def ifupdown(self, *names: str) -> None:
        """Let ifupdown configure links."""
        text = "".join(f"iface {name} inet dhcp\n" for name in names)
        self.say("/etc/network/interfaces", f"source /etc/network/interfaces.d/*\n{text}")

    def running(self) -> tuple[frozenset[Address], frozenset[Route]]:
        """Return all that runs."""
        held = self.network
        return frozenset(held.held_addresses), frozenset(held.held_routes)
