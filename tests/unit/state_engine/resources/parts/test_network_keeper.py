"""Who keeps an address or a route over a boot."""

from __future__ import annotations

import pytest

from state_engine.ports import Link
from state_engine.resources.parts import network_keeper as keeper
from state_engine.resources.parts.network_keeper import Keeper, Persist
from tests.fakes.network import NetworkPorts
from tests.fakes.ports import Node

ETH0 = Link("eth0", 2, up=True)
TEXTS: dict[Keeper, str] = {"networkd": "[Address]\n", "ifupdown": "iface eth0 inet manual\n"}


def kept(ports: NetworkPorts, persist: Persist, texts: dict[Keeper, str] = TEXTS) -> list[str]:
    """Return the paths that are to hold something, or the reason why there is none."""
    files, wrong = keeper.files_of(ports, "/", ETH0, persist, "mark", texts)
    return [wrong] if wrong else [wanted.path for wanted, _ in files if wanted.content]


@pytest.mark.parametrize("persist", ["auto", "networkd"])
def test_networkd_is_told_by_a_drop_in_of_its_own_file(persist: Persist) -> None:
    """Also of a file that another program has made below /run."""
    ports = NetworkPorts()
    ports.networkd(2, "/run/systemd/network/10-netplan-eth0.network")
    (path,) = kept(ports, persist)
    assert path.startswith("/etc/systemd/network/10-netplan-eth0.network.d/standfast-")
    assert path.endswith(".conf")


@pytest.mark.parametrize("persist", ["auto", "ifupdown"])
def test_ifupdown_is_told_by_a_stanza_with_a_name_that_it_reads(persist: Persist) -> None:
    """Of a directory's files it reads only those of letters, digits, `_` and `-`."""
    ports = NetworkPorts()
    ports.ifupdown("eth0")
    (path,) = kept(ports, persist)
    name = path.removeprefix("/etc/network/interfaces.d/")
    assert name.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("persist", "words"), [("auto", "persist: none"), ("networkd", "network file")]
)
def test_nobody_to_keep_it_is_told(persist: Persist, words: str) -> None:
    (reason,) = kept(NetworkPorts(), persist)
    assert words in reason


def test_our_own_stanza_is_not_somebody_who_configures_the_interface() -> None:
    ports = NetworkPorts()
    ports.say("/etc/network/interfaces", "source /etc/network/interfaces.d/*\n")
    ports.say("/etc/network/interfaces.d/standfast-0", "iface eth0 inet static\n")
    assert "persist: none" in kept(ports, "auto")[0]


def test_what_an_earlier_keeper_was_told_goes() -> None:
    """A drop-in of another network file and a stanza, when none is wanted any more."""
    ports = NetworkPorts()
    ports.networkd(2)
    (path,) = kept(ports, "auto")
    ports.files.put(path.rpartition("/")[0], Node("directory", 0o755, 0, 0))
    ports.say(path, "x")
    ports.networkd(2, "/etc/systemd/network/other.network")
    cases: list[tuple[Persist, dict[keeper.Keeper, str]]] = [("none", TEXTS), ("auto", {})]
    for persist, texts in cases:
        files, _ = keeper.files_of(ports, "/", ETH0, persist, "mark", texts)
        assert path in [wanted.path for wanted, found in files if found.type and not wanted.content]


@pytest.mark.parametrize("file", ["../../x.network", "x.conf", "", "a b.network"])
def test_networkd_names_no_other_place(file: str) -> None:
    """Its state is believed only as far as a plain file name."""
    ports = NetworkPorts()
    ports.networkd(2, file)
    for path in kept(ports, "auto"):
        assert path.startswith("/etc/systemd/network/x.network.d/") or "persist" in path


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "..", "x" * 16, "eth0\n", "ä", "a%s"])
def test_what_is_no_interface_is_refused(name: str) -> None:
    assert keeper.check_interface(name)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("source /etc/network/interfaces.d/*", True),
        ("source interfaces.d/*", True),
        ("  source   /etc/network/interfaces.d/standfast-*", True),
        ("source-directory /etc/network/interfaces.d", True),
        ("source-directory interfaces.d/", True),
        ("source /etc/network/interfaces.d/*.cfg", False),
        ("# source /etc/network/interfaces.d/*", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("persist", ["auto", "ifupdown"])
def test_a_stanza_that_nobody_reads_keeps_nothing(line: str, read: bool, persist: Persist) -> None:
    """As on Alpine, whose file has no such line: it would be said to last, and would not."""
    ports = NetworkPorts()
    ports.say("/etc/network/interfaces", f"{line}\niface eth0 inet dhcp\n")
    link = keeper.link_of(ports, "eth0")
    files, wrong = keeper.files_of(ports, "/", link, persist, "x", {"ifupdown": "iface\n"})
    assert (wrong is None) == read
    assert any(wanted.content for wanted, _ in files) == read
    assert read or "add the line `source /etc/network/interfaces.d/*`" in (wrong or "")
