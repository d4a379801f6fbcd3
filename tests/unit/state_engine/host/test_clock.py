"""The one place that reads a clock."""

from __future__ import annotations

from pathlib import Path

from state_engine.host import clock


def test_the_clocks_agree_on_what_they_count(tmp_path: Path) -> None:
    """Seconds since the epoch, nanoseconds as files are stamped, and one that never goes back."""
    before = clock.file_clock_ns()
    (tmp_path / "f").touch()
    # The kernel stamps with the tick before: 10 ms at most.
    assert (tmp_path / "f").stat().st_ctime_ns > before - 10_000_001
    assert abs(clock.now() * 1e9 - before) < 60e9
    assert clock.monotonic() <= clock.monotonic()
