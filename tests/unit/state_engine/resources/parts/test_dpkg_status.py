"""Reading dpkg's status file."""

from __future__ import annotations

import pytest

from state_engine.ports import PortError
from state_engine.resources.parts.dpkg_status import DpkgStatus, Package, make_index, parse
from tests.fakes.ports import FakeFiles, FakePorts, Node

DATABASE = DpkgStatus()
TEXT = """\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21

Package: lib
Status: hold ok installed
Architecture: i386
Version: 1.0

Package: lib
Status: deinstall ok config-files
Architecture: amd64
Version: 0.9

Package: data
status: install ok triggers-pending
version:  2:1
Architecture: all
Description: x
 Status: purge ok not-installed
"""


class CountedFiles(FakeFiles):
    """A fake file system that counts readings."""

    def __init__(self) -> None:
        super().__init__()
        self.read_count = 0

    def read(self, path: str, limit: int) -> bytes:
        self.read_count += 1
        return super().read(path, limit)


def host(text: str = TEXT) -> tuple[FakePorts, CountedFiles]:
    ports = FakePorts()
    files = CountedFiles()
    ports.files = files
    files.put("/var/lib/dpkg/status", Node("file", 0o644, 0, 0, text.encode()))
    return ports, files


def find(ports: FakePorts, name: str, architecture: str | None = None) -> Package | None:
    return DATABASE.find(name, architecture, ports, verify=False)


def test_a_package_is_found_for_the_architecture_of_dpkg() -> None:
    """Another architecture's package counts only if it is asked for; `all` always does."""
    ports, _ = host()
    assert find(ports, "lib") == Package("deinstall", "absent", "0.9", "amd64")
    foreign = find(ports, "lib", "i386")
    assert foreign == Package("hold", "installed", "1.0", "i386")
    assert foreign is not None
    assert foreign.held
    assert find(ports, "data") == Package("install", "installed", "2:1", "all")
    assert find(ports, "none") is None


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("install ok installed", "installed"),
        ("install ok triggers-awaited", "installed"),
        ("install ok unpacked", "unpacked"),
        ("install ok half-configured", "half-configured"),
        ("install reinstreq half-installed", "half-installed"),
        ("install reinstreq installed", "reinstreq"),
        ("deinstall ok config-files", "absent"),
        ("unknown ok not-installed", "absent"),
    ],
)
def test_a_packages_state_is_in_its_status(status: str, state: str) -> None:
    package = parse(f"Package: x\nStatus: {status}\n".encode())
    assert package is not None
    assert package.state == state


def test_twenty_packages_cost_one_reading() -> None:
    """The file is read again once it is another one, and whenever nothing may be trusted."""
    ports, files = host()
    for _ in range(20):
        find(ports, "data")
    assert files.read_count == 1
    DATABASE.find("data", None, ports, verify=True)
    assert files.read_count == 2
    files.put("/var/lib/dpkg/status", Node("file", 0o644, 0, 0, b""))
    assert find(ports, "data") is None
    assert files.read_count == 3


def test_a_file_that_has_just_changed_is_not_remembered() -> None:
    """A second change in the same tick of its clock would not be seen."""
    ports, files = host()
    ports.now = files.nodes["/var/lib/dpkg/status"].changed / 1e9
    find(ports, "data")
    find(ports, "data")
    assert files.read_count == 2


def test_two_hosts_are_not_mixed_up() -> None:
    """What was read through one set of ports says nothing to another."""
    first, _ = host()
    second, _ = host("")
    assert find(first, "data") is not None
    assert find(second, "data") is None


def test_what_dpkg_has_only_noted_yet_counts() -> None:
    """While dpkg works, or after it was killed, its journal is newer than its status file."""
    ports, files = host()
    stanza = "Package: {}\nStatus: install ok {}\nArchitecture: amd64\nVersion: 3\n"
    folder = "/var/lib/dpkg/updates"
    entries = [("new", "unpacked"), ("lib", "half-configured"), ("lib", "installed")]
    for number, entry in enumerate(entries):
        data = stanza.format(*entry).encode()
        files.put(f"{folder}/{number:04}", Node("file", 0o644, 0, 0, data))
    assert find(ports, "new") == Package("install", "unpacked", "3", "amd64")
    assert find(ports, "lib") == Package("install", "installed", "3", "amd64")
    assert find(ports, "lib", "i386") == Package("hold", "installed", "1.0", "i386")
    assert find(ports, "data") is not None


def test_a_host_without_dpkg_says_so() -> None:
    with pytest.raises(PortError, match="has no dpkg"):
        find(FakePorts(), "x")


def test_stanzas_are_found_however_their_first_field_is_written() -> None:
    assert set(make_index(b"\nPackage: a\n\n\nStatus: x\npackage:  b\n\nnothing\n")) == {b"a", b"b"}
