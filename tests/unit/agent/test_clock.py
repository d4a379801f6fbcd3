"""The agent's clock is the system's."""

from __future__ import annotations

from pathlib import Path

from agent import clock


def test_the_wall_clock_is_the_one_that_files_get(tmp_path: Path) -> None:
    """Seconds since the epoch, as the file system writes them."""
    path = tmp_path / "now"
    path.touch()
    # The kernel stamps files with a clock that lags by up to one tick of 10 ms.
    assert path.stat().st_mtime <= clock.wall() + 0.02
