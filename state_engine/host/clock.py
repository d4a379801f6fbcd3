"""The one place where this package reads a clock; daemons hand in their own."""

from __future__ import annotations

import time


def now() -> float:
    """Return seconds since the epoch."""
    return time.clock_gettime(time.CLOCK_REALTIME)


def file_clock_ns() -> int:
    """Return nanoseconds on the clock that the kernel stamps files with, a tick late at most."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def monotonic() -> float:
    """Return seconds on a clock that never goes back, for time limits."""
    return time.monotonic()
