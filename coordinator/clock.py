"""The one place where the coordinator reads its clock; all else takes the time as a value."""

from __future__ import annotations

import time
from collections.abc import Callable

# Returns seconds since the epoch, UTC.
Clock = Callable[[], float]


def read_clock() -> float:
    """Return the system's time in seconds since the epoch."""
    return time.time()
