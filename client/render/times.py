"""Times: relative for a person at a terminal, RFC 3339 UTC in a pipe. The time now is given."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def iso(seconds: float | None) -> str:
    """Return a unix time as RFC 3339 UTC; never (0 or None) is empty."""
    if not seconds:
        return ""
    try:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "?"


def relative(seconds: float | None, now: float) -> str:
    """Return a unix time as `3 h ago` or `in 5 min`; never is `never`."""
    if not seconds:
        return "never"
    distance = now - seconds
    for size, unit in _UNITS:
        if abs(distance) >= size:
            text = f"{abs(distance) // size:.0f} {unit}"
            return f"{text} ago" if distance > 0 else f"in {text}"
    return "now"


def parse_span(text: str) -> float | None:
    """Return the seconds of `90s`, `15m`, `12h` or `7d`, or None if it is no such span."""
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.isascii() or not number.isdigit() or len(number) > 9:
        return None
    return float(int(number) * units[unit])


def parse_iso(text: str) -> float | None:
    """Return the unix time of RFC 3339 text, or None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None
