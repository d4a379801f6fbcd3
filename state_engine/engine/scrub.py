"""Taking secret values out of captured output before it leaves the host."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from protocol.reports import CapturedStream

Scrub = Callable[[str], str]
MARK = "[secret]"
# A shorter value would blot out half of any text, and tells little once it is seen.
MIN_LENGTH = 4


def unchanged(text: str) -> str:
    """Return the text: there is nothing secret to look for."""
    return text


def scrubber(values: Iterable[str]) -> Scrub:
    """Return a function that replaces each of the values, and each line of one, by a mark."""
    parts: set[str] = set()
    for value in values:
        parts.update(part.strip() for part in (value, *value.splitlines()))
    wanted = sorted((part for part in parts if len(part) >= MIN_LENGTH), key=len, reverse=True)

    def scrub(text: str) -> str:
        for part in wanted:
            text = text.replace(part, MARK)
        return text

    return scrub


def scrub_captured(captured: CapturedStream, scrub: Scrub) -> CapturedStream:
    """Return captured output with both streams scrubbed."""
    return msgspec.structs.replace(
        captured, stdout=scrub(captured.stdout), stderr=scrub(captured.stderr)
    )
