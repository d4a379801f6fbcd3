"""What this host is: the attributes that modules match on, and a few typed details.

Read from files that cost microseconds; nothing is run and nothing is imported for it.
"""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

from protocol.limits import MAX_HOSTNAME
from protocol.messages import Facts
from state_engine.host import facts as host_facts

MAX_VALUE = 256

Detail = int | float | str | None


def collect(hostname: str | None = None, root: Path = Path("/")) -> Facts:
    """Return the host's facts; what cannot be found out is left out. `root` is for tests."""
    attributes = host_facts.attributes(root)
    details: dict[str, Detail] = {
        "hostname": hostname or own_hostname(),
        "kernel": os.uname().release,
        "cpu_count": os.cpu_count(),
        "memory_total": memory_total(root),
        "boot_time": boot_time(root),
        "python": platform.python_version(),
    }
    known = {key: value[:MAX_VALUE] for key, value in attributes.items() if value}
    return Facts(known, {key: value for key, value in details.items() if value is not None})


def own_hostname() -> str:
    """Return what the kernel says this host is called; never empty."""
    return socket.gethostname()[:MAX_HOSTNAME] or "localhost"


def memory_total(root: Path) -> int | None:
    """Return the bytes of memory of this host."""
    for line in _read(root / "proc/meminfo").splitlines():
        words = line.split()
        if words[:1] == ["MemTotal:"] and len(words) > 1 and words[1].isdecimal():
            return int(words[1]) * 1024
    return None


def boot_time(root: Path) -> int | None:
    """Return when this host was started, in seconds since the epoch."""
    for line in _read(root / "proc/stat").splitlines():
        words = line.split()
        if words[:1] == ["btime"] and len(words) > 1 and words[1].isdecimal():
            return int(words[1])
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
