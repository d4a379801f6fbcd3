"""The one file of the client that reads the clock or waits."""

from __future__ import annotations

import time


def now() -> float:
    """Return the time in seconds since the epoch."""
    return time.time()


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
