"""The network port on Linux: links, addresses and routes, dumped over rtnetlink(7).

Only looks, with sockets that live for one call; changing is done by steps. No program is spawned.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from state_engine.host import walk
from state_engine.ports import Address, Link, PortError, Route

# The most objects of one dump: 100,000 routes are 20 MB of values and a second of work. A router
# with a full table is told that we do not manage single routes of it.
MAX_OBJECTS = 100_000
# A dump that changed while it was read is read again; a table that never rests is an error.
TRIES = 5
TIMEOUT = 10.0

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ERROR = struct.Struct("=i")
_WORD = struct.Struct("=I")
_CHUNK = 1 << 18

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NEWLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWROUTE, _GETROUTE = 16, 18, 20, 22, 24, 26
_REQUEST, _DUMP, _MULTI_INTERRUPTED = 0x1, 0x300, 0x10
_IFLA_IFNAME, _IFF_UP = 3, 0x1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_PERMANENT, _IFA_F_DADFAILED = 0x80, 0x08
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC = 1, 4, 5, 6, 7
_RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA = 9, 15, 18
_RTM_F_CLONED, _UNICAST = 0x200, 1
# Of an attribute's type, the two highest bits say how it is packed.
_TYPE_MASK = 0x3FFF

Attributes = dict[int, bytes]
_Made = TypeVar("_Made", Link, Address, Route)


class LinuxNetwork:
    """The network namespace of the calling thread."""

    def links(self) -> tuple[Link, ...]:
        """Return every link, by index. Raises PortError."""
        request = _LINK.pack(0, 0, 0, 0, 0)
        found = _dump(_GETLINK, request, _NEWLINK, parse_link)
        return tuple(sorted(found, key=lambda link: link.index))

    def addresses(self) -> tuple[Address, ...]:
        """Return every IPv4 and IPv6 address. Raises PortError."""
        names = {link.index: link.name for link in self.links()}
        request = _ADDRESS.pack(0, 0, 0, 0, 0)
        return tuple(_dump(_GETADDR, request, _NEWADDR, lambda body: parse_address(body, names)))

    def routes(self, table: int) -> tuple[Route, ...]:
        """Return the unicast routes of a table, IPv4 and IPv6. Raises PortError."""
        names = {link.index: link.name for link in self.links()}
        request = _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)
        found = _dump(_GETROUTE, request, _NEWROUTE, lambda body: parse_route(body, table, names))
        return tuple(found)


def parse_link(body: bytes) -> Link | None:
    """Return a link from the payload of a message; None for one without a name."""
    _, _, index, flags, _ = _LINK.unpack_from(body)
    name = attributes(body[_LINK.size :]).get(_IFLA_IFNAME)
    return (
        None
        if name is None
        else Link(name.rstrip(b"\0").decode(errors="replace"), index, up=bool(flags & _IFF_UP))
    )


def parse_address(body: bytes, names: dict[int, str]) -> Address | None:
    """Return an address from the payload of a message; None for other families."""
    family, length, flags, _, index = _ADDRESS.unpack_from(body)
    found = attributes(body[_ADDRESS.size :])
    # Where a link has two ends, LOCAL is ours and ADDRESS the other's; IPv6 has no LOCAL then.
    raw = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    if raw is None or family not in {socket.AF_INET, socket.AF_INET6} or index not in names:
        return None
    if _IFA_FLAGS in found:
        (flags,) = _WORD.unpack(found[_IFA_FLAGS])
    return Address(
        names[index],
        f"{ipaddress.ip_address(raw)}/{length}",
        permanent=bool(flags & _IFA_F_PERMANENT),
        duplicate=bool(flags & _IFA_F_DADFAILED),
    )


def parse_route(body: bytes, table: int, names: dict[int, str]) -> Route | None:
    """Return a route from the payload of a message; None if it is none that people set."""
    family, length, _, _, place, protocol, _, kind, flags = _ROUTE.unpack_from(body)
    found = attributes(body[_ROUTE.size :])
    if _RTA_TABLE in found:
        (place,) = _WORD.unpack(found[_RTA_TABLE])
    ours = family in {socket.AF_INET, socket.AF_INET6} and place == table
    if not ours or kind != _UNICAST or flags & _RTM_F_CLONED:
        return None
    empty = b"\0" * (4 if family == socket.AF_INET else 16)
    (metric,) = _WORD.unpack(found.get(_RTA_PRIORITY, b"\0" * 4))
    (out,) = _WORD.unpack(found.get(_RTA_OIF, b"\0" * 4))
    via = found.get(_RTA_GATEWAY)
    if via is None and _RTA_VIA in found:  # a gateway of the other family, after its number
        via = found[_RTA_VIA][2:]
    source = found.get(_RTA_PREFSRC)
    return Route(
        destination=f"{ipaddress.ip_address(found.get(_RTA_DST, empty))}/{length}",
        table=place,
        metric=metric,
        interface=names.get(out),
        via=None if via is None else str(ipaddress.ip_address(via)),
        source=None if source is None else str(ipaddress.ip_address(source)),
        protocol=protocol,
        many=_RTA_MULTIPATH in found,
    )


def attributes(data: bytes) -> Attributes:
    """Return the attributes of a message by type; the last of a type wins.

    Raises:
        ValueError: a length leads beyond the data.
    """
    found: Attributes = {}
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size or place + length > len(data):
            raise ValueError(f"an attribute of {length} bytes at {place} of {len(data)}")
        found[kind & _TYPE_MASK] = data[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
    return found


def messages(data: bytes) -> Generator[tuple[int, int, bytes], None, None]:
    """Yield type, flags and payload of each message in a datagram.

    Raises:
        ValueError: a length leads beyond the data.
    """
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, place)
        if length < _HEADER.size or place + length > len(data):
            raise ValueError(f"a message of {length} bytes at {place} of {len(data)}")
        yield kind, flags, data[place + _HEADER.size : place + length]
        place += (length + 3) & ~3


def _dump(
    request: int, payload: bytes, answer: int, make: Callable[[bytes], _Made | None]
) -> list[_Made]:
    for _ in range(TRIES):
        found: list[_Made] = []
        try:
            whole = _one_dump(request, payload, answer, make, found)
        except OSError as error:
            raise walk.refusal(error, "ask", "the kernel about the network") from error
        except (ValueError, struct.error) as error:
            raise PortError(f"the kernel's answer about the network is torn: {error}") from error
        if whole:
            return found
    raise PortError("the network changes faster than it can be read", "EAGAIN")


def _one_dump(
    request: int,
    payload: bytes,
    answer: int,
    make: Callable[[bytes], _Made | None],
    found: list[_Made],
) -> bool:
    """Collect one dump; return False if the kernel says that it changed meanwhile."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as line:
        line.settimeout(TIMEOUT)
        line.bind((0, 0))
        size = _HEADER.size + len(payload)
        line.sendto(_HEADER.pack(size, request, _REQUEST | _DUMP, 1, 0) + payload, (0, 0))
        whole = True
        for said, flags, body in _answers(line):
            whole = whole and not flags & _MULTI_INTERRUPTED
            made = make(body) if said == answer else None
            if made is not None:
                found.append(made)
            if len(found) > MAX_OBJECTS:
                raise PortError(f"more than {MAX_OBJECTS} objects of the network", "EFBIG")
        return whole


def _answers(line: socket.socket) -> Iterable[tuple[int, int, bytes]]:
    while True:
        data, sender = line.recvfrom(_CHUNK)
        if sender[0] != 0:  # any process may send us a datagram; only the kernel has the number 0
            continue
        for kind, flags, body in messages(data):
            if kind in {_NLMSG_ERROR, _NLMSG_DONE}:
                (code,) = _ERROR.unpack_from(body) if len(body) >= _ERROR.size else (0,)
                if code < 0:
                    raise OSError(-code, "the kernel refuses")
                yield kind, flags, b""
                return
            yield kind, flags, body
