"""The client's clock is the machine's."""

from __future__ import annotations

import datetime as dt

from client import clock


def test_now_is_the_present() -> None:
    """Seconds since the epoch, and a pause of nothing goes by."""
    before = clock.now()
    clock.pause(0)
    assert before <= clock.now()
    assert dt.datetime.fromtimestamp(before, dt.UTC).year >= 2025
