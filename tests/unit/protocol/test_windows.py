"""Windows in UTC: days name the beginning, the end is outside, midnight is crossed."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from protocol import windows
from protocol.errors import DecodeError


def at(text: str) -> float:
    """Return the seconds of a moment, written as ISO 8601 without a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


# 2026-11-20 was a Friday.
@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("22:00-05:00", "2026-11-20T22:00:00", True),
        ("22:00-05:00", "2026-11-20T21:59:59", False),
        ("22:00-05:00", "2026-11-20T04:59:59", True),
        ("22:00-05:00", "2026-11-20T05:00:00", False),
        ("mon-fri 22:00-05:00", "2026-11-21T04:59:00", True),
        ("mon-fri 22:00-05:00", "2026-11-21T22:30:00", False),
        ("mon-fri 22:00-05:00", "2026-11-23T04:00:00", False),
        ("mon-fri 22:00-05:00", "2026-11-24T04:00:00", True),
        ("sun 22:00-05:00", "2026-11-23T04:00:00", True),
        ("sat 00:00-24:00", "2026-11-21T23:59:59", True),
        ("sat 00:00-24:00", "2026-11-22T00:00:00", False),
        ("sat,mon 09:00-10:00", "2026-11-23T09:30:00", True),
        ("sat,mon 09:00-10:00", "2026-11-22T09:30:00", False),
        ("fri-mon 09:00-10:00", "2026-11-22T09:30:00", True),
        ("fri-mon 09:00-10:00", "2026-11-24T09:30:00", False),
        ("tue-tue 09:00-10:00", "2026-11-24T09:30:00", True),
        ("09:07-10:30", "2026-11-24T10:29:59", True),
        ("09:07-10:30", "2026-11-24T09:06:59", False),
        ("09:00-09:01", "2026-11-24T09:01:00", False),
        ("00:00-00:01", "2026-11-24T00:00:59", True),
        ("23:00-22:59", "2026-11-24T22:59:30", False),
    ],
)
def test_a_window_holds_from_its_first_minute_to_before_its_last(
    text: str, moment: str, expected: bool
) -> None:
    """Over midnight, over the end of the week, and with days in any order."""
    assert windows.parse(text).holds(at(moment)) is expected


def test_the_epoch_itself_was_a_thursday_at_midnight() -> None:
    """The arithmetic needs no calendar, before the epoch neither."""
    assert windows.parse("thu 00:00-00:01").holds(0.0)
    assert windows.parse("wed 23:59-24:00").holds(-1.0)
    for broken in (math.nan, math.inf, -math.inf):
        assert not windows.parse("00:00-24:00").holds(broken)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "22:00",
        "mon 22:00-05:00 ",
        "22:00-05:00\n",
        "Mon 22:00-05:00",
        "mo 22:00-05:00",
        "mon-xyz 22:00-05:00",
        "mon,, 22:00-05:00",
        "mon- 22:00-05:00",
        "-mon 22:00-05:00",
        "mon-tue-wed 22:00-05:00",
        "21:60-23:00",
        "22:00-24:01",
        "25:00-26:00",
        "24:00-05:00",
        "05:00-05:00",
        "2:00-05:00",
        "\uff12\uff12:00-05:00",
    ],
)
def test_what_means_no_window_is_refused(text: str) -> None:
    """Nothing is guessed: a policy that is misread would let in what it forbids."""
    with pytest.raises(DecodeError, match="window"):
        windows.parse(text)


def test_one_of_several_is_enough_and_none_at_all_is_always() -> None:
    """A list of windows is their union; an empty one limits nothing."""
    noon = at("2026-11-24T12:00:00")
    assert windows.any_holds((), noon)
    assert windows.any_holds(("09:00-10:00", "11:00-13:00"), noon)
    assert not windows.any_holds(("09:00-10:00",), noon)
    windows.check(("09:00-10:00",) * windows.MAX_WINDOWS)
    with pytest.raises(DecodeError, match="more than"):
        windows.check(("09:00-10:00",) * (windows.MAX_WINDOWS + 1))
    with pytest.raises(DecodeError, match="window"):
        windows.check(("09:00-10:00", "noon"))


def test_a_refusal_says_what_would_be_right() -> None:
    """A person who writes a policy learns the form from the error."""
    for text, hint in (
        ("05:00-05:00", "00:00-24:00"),
        ("24:00-05:00", "before 24:00"),
        ("22:75-23:00", "no time of day"),
        ("xyz 22:00-23:00", "mon tue wed thu fri sat sun"),
    ):
        with pytest.raises(DecodeError, match=hint):
            windows.parse(text)
