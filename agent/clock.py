"""The one place where the agent reads the wall clock; everything else takes the time as a value."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def wall() -> float:
    """Return seconds since the epoch, as this host believes them to be."""
    return time.time()
