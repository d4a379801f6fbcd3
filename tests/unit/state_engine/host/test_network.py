"""The parsing of rtnetlink messages; what the kernel itself answers is in tests/contract."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state_engine.host import network
from state_engine.ports import Address, Route

NAMES = {3: "eth0"}


def packed(kind: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return struct.pack("=HH", len(value) + 4, kind) + value + padding


def test_an_address_with_a_peer_is_our_end() -> None:
    """IFA_LOCAL is ours where both are given; IFA_FLAGS holds what one byte cannot."""
    body = struct.pack("=BBBBi", 2, 32, 0x80, 0, 3)
    body += packed(1, bytes([192, 0, 2, 9])) + packed(2, bytes([192, 0, 2, 1]))
    body += packed(8, struct.pack("=I", 0x200))
    assert network.parse_address(body, NAMES) == Address("eth0", "192.0.2.1/32", permanent=False)
    assert network.parse_address(body, {}) is None


def test_a_duplicate_address_is_told() -> None:
    body = struct.pack("=BBBBi", 10, 64, 0x88, 0, 3) + packed(1, bytes(15) + b"\1")
    found = network.parse_address(body, NAMES)
    assert found == Address("eth0", "::1/64", permanent=True, duplicate=True)


def route(kind: int = 1, flags: int = 0, *extra: bytes) -> bytes:
    head = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 252, 4, 0, kind, flags)
    return head + packed(1, bytes([198, 51, 100, 0])) + b"".join(extra)


def test_a_route_of_a_large_table_is_known_by_its_attribute() -> None:
    """The header has room for 255 tables only."""
    body = route(1, 0, packed(15, struct.pack("=I", 70_000)), packed(4, struct.pack("=I", 3)))
    found = network.parse_route(body, 70_000, NAMES)
    assert found == Route("198.51.100.0/24", 70_000, 0, "eth0")
    assert network.parse_route(body, 254, NAMES) is None


@pytest.mark.parametrize(("kind", "flags"), [(2, 0), (3, 0), (7, 0), (1, 0x200)])
def test_only_routes_that_people_set_are_told(kind: int, flags: int) -> None:
    """Not local, broadcast, unreachable or cached ones."""
    assert network.parse_route(route(kind, flags), 252, NAMES) is None


def test_a_route_with_several_ways_says_so() -> None:
    found = network.parse_route(route(1, 0, packed(9, b"\0" * 8)), 252, NAMES)
    assert found is not None
    assert (found.many, found.via, found.interface) == (True, None, None)


def test_a_gateway_of_the_other_family_is_read() -> None:
    via = struct.pack("=H", 10) + bytes(15) + b"\5"
    found = network.parse_route(route(1, 0, packed(18, via)), 252, NAMES)
    assert found is not None
    assert found.via == "::5"


@given(st.binary(max_size=80))
def test_torn_data_never_leads_beyond_itself(data: bytes) -> None:
    """Whatever the bytes are: pieces of them, or a ValueError."""
    for read in (network.attributes, lambda body: list(network.messages(body))):
        try:
            found = read(data)
        except ValueError:
            continue
        assert len(found) <= len(data)


def test_lengths_that_lie_are_refused() -> None:
    with pytest.raises(ValueError, match="attribute"):
        network.attributes(struct.pack("=HH", 3, 1))
    with pytest.raises(ValueError, match="attribute"):
        network.attributes(struct.pack("=HH", 9, 1) + b"\0")
    with pytest.raises(ValueError, match="message"):
        list(network.messages(struct.pack("=IHHII", 99, 16, 0, 0, 0)))
