"""Taking secrets out of output."""

from __future__ import annotations

from protocol.reports import CapturedStream
from state_engine.engine.scrub import MARK, scrub_captured, scrubber, unchanged


def test_values_and_their_lines_are_replaced() -> None:
    """A key of several lines is hidden line by line too; the longest match goes first."""
    scrub = scrubber(["hunter22", "hunter", "first line\nsecond line\n", "ab"])
    assert scrub("pw=hunter22 hunter.") == f"pw={MARK} {MARK}."
    assert scrub("> second line") == f"> {MARK}"
    assert scrub("ab stays: it is too short to be hidden") == (
        "ab stays: it is too short to be hidden"
    )


def test_both_streams_are_scrubbed_and_the_rest_is_kept() -> None:
    """Exit code and truncation say nothing secret."""
    captured = CapturedStream(3, "hunter22", "x hunter22", truncated=True)
    clean = scrub_captured(captured, scrubber(["hunter22"]))
    assert clean == CapturedStream(3, MARK, f"x {MARK}", truncated=True)
    assert scrub_captured(captured, unchanged) == captured
