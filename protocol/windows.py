"""Windows of time in UTC, as policies and standing decisions write them: `mon-fri 22:00-05:00`.

Days are optional (`sat`, `mon-fri`, `tue,thu`; none: every day) and name the day on which the
window begins; one that ends at or before its beginning ends on the next day. `24:00` is midnight.
"""

from __future__ import annotations

import math
import re

import msgspec

from protocol.errors import DecodeError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# A week of windows of one hour each.
MAX_WINDOWS = 168
_DAY_MINUTES = 1_440
_FORM = re.compile(r"(?:([a-z,-]{3,64}) )?([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})\Z")
# 1970-01-01 was a Thursday.
_EPOCH_WEEKDAY = 3


class Window(msgspec.Struct, frozen=True):
    """Minutes of the day from `start` on, `length` of them, beginning on some weekdays (0: mon)."""

    days: frozenset[int]
    start: int
    length: int

    def holds(self, now: float) -> bool:
        """Say whether a moment (seconds since the epoch) lies in the window; the end is outside."""
        if not math.isfinite(now):
            return False
        day, minute = divmod(math.floor(now / 60), _DAY_MINUTES)
        weekday = (day + _EPOCH_WEEKDAY) % 7
        if weekday in self.days and 0 <= minute - self.start < self.length:
            return True
        # It may have begun yesterday.
        return (weekday - 1) % 7 in self.days and minute + _DAY_MINUTES - self.start < self.length


def parse(text: str) -> Window:
    """Return the window that a text means.

    Raises:
        DecodeError: it means none; the text says what is wrong.
    """
    found = _FORM.match(text)
    if found is None:
        raise DecodeError(f"window {text[:64]!r}: write `mon-fri 22:00-05:00`, in UTC")
    start = _minute(text, found[2], found[3])
    end = _minute(text, found[4], found[5])
    if start == _DAY_MINUTES:
        raise DecodeError(f"window {text!r}: a window begins before 24:00")
    if start == end:
        raise DecodeError(f"window {text!r} has no length; write 00:00-24:00 for a whole day")
    length = (end - start) % _DAY_MINUTES or _DAY_MINUTES
    return Window(_days(text, found[1]), start, length)


def _minute(text: str, hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > _DAY_MINUTES:
        raise DecodeError(f"window {text!r}: {hours}:{minutes} is no time of day")
    return total


def _days(text: str, named: str | None) -> frozenset[int]:
    if named is None:
        return frozenset(range(len(DAYS)))
    days: set[int] = set()
    for part in named.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise DecodeError(f"window {text!r}: days are {' '.join(DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        days |= {(begin + offset) % len(DAYS) for offset in range((end - begin) % len(DAYS) + 1)}
    return frozenset(days)


def any_holds(texts: tuple[str, ...], now: float) -> bool:
    """Say whether a moment lies in one of the windows; where none is written, it does.

    Raises:
        DecodeError: a text before that one is no window.
    """
    return not texts or any(parse(text).holds(now) for text in texts)


def check(texts: tuple[str, ...]) -> None:
    """Check that every text is a window.

    Raises:
        DecodeError: one is not, or there are too many.
    """
    if len(texts) > MAX_WINDOWS:
        raise DecodeError(f"more than {MAX_WINDOWS} windows")
    for text in texts:
        parse(text)
