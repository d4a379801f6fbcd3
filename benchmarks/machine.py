"""What a figure was measured on; every benchmark prints it beside its rows."""

from __future__ import annotations

import os
import platform
import sys


def machine() -> dict[str, object]:
    """Return architecture, cores that this process may use, kernel and Python version."""
    return {
        "arch": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
    }
