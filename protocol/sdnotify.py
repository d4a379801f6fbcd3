"""What a service tells its manager, and where: messages and addresses as values (sd_notify(3)).

Pure: the agent's and the coordinator's own `notify.py` read the environment and send.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

READY = b"READY=1"
STOPPING = b"STOPPING=1"
WATCHDOG = b"WATCHDOG=1"
# A status line is for one row of a terminal.
MAX_STATUS = 200


class Manager(msgspec.Struct, frozen=True):
    """Where the service manager listens, and how often (seconds) it wants a sign of life."""

    address: str
    watchdog: float | None


def find(environment: Mapping[str, str], pid: int) -> Manager | None:
    """Return the manager that the environment names, or None where there is none.

    An address that begins with `@` is in the abstract namespace: its first byte becomes NUL.
    The watchdog is None if it is off, malformed, or meant for another process.
    """
    text = environment.get("NOTIFY_SOCKET", "")
    if not text.startswith(("/", "@")) or len(text) < 2:
        return None
    address = "\0" + text[1:] if text.startswith("@") else text
    return Manager(address, _watchdog(environment, pid))


def status(text: str) -> bytes:
    """Return the message that shows one line of text in the manager's status view."""
    line = " ".join(text.split())[:MAX_STATUS]
    return b"STATUS=" + line.encode()


def together(*messages: bytes) -> bytes:
    """Return one datagram that holds several messages."""
    return b"\n".join(messages)


def _watchdog(environment: Mapping[str, str], pid: int) -> float | None:
    meant_for = environment.get("WATCHDOG_PID")
    if meant_for is not None and meant_for != str(pid):
        return None
    text = environment.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        return None
    return int(text) / 1_000_000
