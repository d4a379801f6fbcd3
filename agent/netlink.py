"""Being told by the kernel that the network or the firewall changed. What, is for others to see.

The messages of netlink(7) are thrown away unread: whoever hears the bell looks for himself.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Literal, NoReturn

import trio

Subject = Literal["network", "firewall"]
# Protocol and groups. Of rtnetlink(7) links, addresses and routes of both families: RTMGRP_LINK,
# _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE. Of netfilter NFNLGRP_NFTABLES, number 7.
_GROUPS: dict[Subject, tuple[int, int]] = {
    "network": (socket.NETLINK_ROUTE, 0x1 | 0x10 | 0x40 | 0x100 | 0x400),
    "firewall": (12, 1 << (7 - 1)),
}
# The beginning of a message is all that is read; the kernel drops the rest of it.
_BUFFER = 64


def opened(subject: Subject) -> socket.socket:
    """Return a socket that hears the changes in the network namespace of the calling thread.

    Raises:
        OSError: the kernel gives none.
    """
    protocol, groups = _GROUPS[subject]
    heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    try:
        heard.bind((0, groups))
        heard.setblocking(False)
    except OSError:
        heard.close()
        raise
    return heard


async def listen(ring: Callable[[], None], heard: socket.socket) -> NoReturn:
    """Call `ring` whenever a socket has heard of a change; the socket is closed after.

    Raises:
        OSError: the kernel tells nothing.
    """
    with heard:
        while True:
            await trio.lowlevel.wait_readable(heard)
            while _more(heard):
                pass
            ring()


def _more(heard: socket.socket) -> bool:
    try:
        heard.recv(_BUFFER)
    except BlockingIOError:
        return False
    except OSError as error:
        # Some messages were lost, which is a change too.
        if error.errno != errno.ENOBUFS:
            raise
    return True
