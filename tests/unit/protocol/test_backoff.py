"""The wait before the next try: doubled, capped, spread, and reset only by a stable session."""

from __future__ import annotations

import pytest

from protocol.backoff import Backoff


@pytest.mark.parametrize(
    ("attempt", "window"),
    [(0, 1.0), (1, 2.0), (5, 32.0), (6, 60.0), (1_000_000, 60.0), (-1, 1.0)],
)
def test_the_window_doubles_up_to_the_cap(attempt: int, window: float) -> None:
    """One second, two, four, and never over a minute."""
    rule = Backoff()
    assert rule.next_delay(attempt, 1.0) == pytest.approx(window)
    assert rule.next_delay(attempt, 0.5) == pytest.approx(window / 2)
    assert rule.next_delay(attempt, 0.0) == pytest.approx(0.0)


def test_a_random_number_outside_its_range_stays_in_the_window() -> None:
    """A broken random source makes no negative and no endless wait."""
    assert Backoff().next_delay(3, -5.0) == pytest.approx(0.0)
    assert Backoff().next_delay(3, 5.0) == pytest.approx(8.0)


def test_only_a_stable_session_resets_the_count() -> None:
    """A coordinator that accepts and drops at once is not hammered."""
    rule = Backoff()
    assert rule.next_attempt(4, 59.9) == 5
    assert rule.next_attempt(4, 60.0) == 0
