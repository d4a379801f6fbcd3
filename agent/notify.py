"""Telling the service manager how we are: one datagram per message, never waiting, never failing.

The texts are `protocol.sdnotify`; when to send them is `main` and `services.watchdog`.
"""

from __future__ import annotations

import os
import socket

from protocol import sdnotify
from protocol.sdnotify import Manager


def manager() -> Manager | None:
    """Return the service manager that started this process, if one did."""
    return sdnotify.find(os.environ, os.getpid())


def send(to: Manager | None, *messages: bytes) -> None:
    """Send messages to the manager, if there is one; a manager that does not listen is ignored."""
    if to is None:
        return
    flags = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_UNIX, flags) as sender:
        try:
            sender.sendto(sdnotify.together(*messages), to.address)
        except OSError:
            return
