"""The coordinator's clock."""

from __future__ import annotations

from coordinator.clock import read_clock


def test_it_goes_and_counts_seconds_since_the_epoch() -> None:
    first = read_clock()
    assert first > 1_700_000_000
    assert read_clock() >= first
