"""What rpm and dnf say, and what they are told."""

from __future__ import annotations

import pytest

from state_engine.ports import PortError
from state_engine.resources.parts.rpm_packages import RpmPackages, parse_index, parse_offers
from state_engine.resources.parts.versioned_package import Wish
from tests.fakes.package_hosts import RPM_DATABASE, FakeFedora
from tests.fakes.ports import FakePorts, Node

QUERY = (
    "bash\tx86_64\t0:5.2.26-3.fc40\n"
    "glibc\tx86_64\t0:2.39-17.fc40\nglibc\ti686\t0:2.39-16.fc40\n"
    "bind-libs\tx86_64\t32:9.18.28-2.fc40\n"
    "gpg-pubkey\t(none)\t(none):a15b79cc-63d04c2c\n"
)


def test_lines_are_packages() -> None:
    """An epoch of nothing is left out; a signing key is no package."""
    index = parse_index(QUERY)
    assert index["bash"] == [("x86_64", "5.2.26-3.fc40")]
    assert index["bind-libs"] == [("x86_64", "32:9.18.28-2.fc40")]
    assert set(index) == {"bash", "glibc", "bind-libs"}


def test_offers_are_versions() -> None:
    """Empty lines, repeated ones and other talk are passed over."""
    text = "\n0:1.24.0-1.fc40\n\n1:1.26.0-1.fc40\n1:1.26.0-1.fc40\nLast metadata check: x\n"
    assert parse_offers(text) == ("1.24.0-1.fc40", "1:1.26.0-1.fc40")


def test_the_database_is_read_once_until_it_changes() -> None:
    """A second question costs no second run of rpm; a change does, and so does verifying."""
    host = FakeFedora({"a": "1-1"}, {})
    host.now = 1e9
    packages = RpmPackages()
    queries = host.programs.calls
    for wanted in (True, False, False):
        packages.installed("a", host, verify=wanted)
    assert len(queries) == 1
    host.installed["a"] = "2-1"
    host.files.put(f"{RPM_DATABASE}-wal", Node("file", 0o644, 0, 0, b"journal"))
    assert packages.installed("a", host, verify=False) == "2-1"
    packages.installed("a", host, verify=True)
    assert len(queries) == 3


def test_an_architecture_may_end_the_name() -> None:
    """A name with dots is a name first."""
    host = FakeFedora({"a": "1-1", "a.x86_64": "3-1", "b": "2-1"}, {})
    packages = RpmPackages()
    names = ("b.x86_64", "b.i686", "a.x86_64")
    assert [packages.installed(name, host, verify=False) for name in names] == ["2-1", None, "3-1"]


def test_a_host_without_the_database_is_told_so() -> None:
    """And rpm is not even run."""
    ports = FakePorts()
    with pytest.raises(PortError, match="no RPM database"):
        RpmPackages().installed("a", ports, verify=False)
    assert ports.programs.calls == []


@pytest.mark.parametrize(
    ("wish", "installed", "verb", "what"),
    [
        (Wish("present"), None, "install", "a"),
        (Wish("latest"), "1-1", "upgrade", "a"),
        (Wish("exact", "2-1"), "1-1", "install", "a-2-1"),
        (Wish("exact", "1-1"), "2-1", "downgrade", "a-1-1"),
    ],
)
def test_the_command_follows_from_the_wish(
    wish: Wish, installed: str | None, verb: str, what: str
) -> None:
    """A lower version is a downgrade, and has to be said so."""
    argv = RpmPackages("/r").install("a", wish, installed).argv
    assert argv[:2] == ("dnf", "--installroot=/r")
    assert argv[-3:] == (verb, "--", what)
