"""Taking secret values out of text before it leaves the host, also in the spellings they take on.

Where a value comes from is the business of `engine.secrets`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

import msgspec

from protocol.reports import CapturedStream

Scrub = Callable[[str], str]
MARK = "[secret]"
# A shorter value would blot out half of any text, and tells little once it is seen.
MIN_LENGTH = 4
# The beginning of a value that a cut has left over: shorter, it is any word.
MIN_CUT = 6
# A value longer than this is looked for as it is and line by line, not in other spellings: a key
# of 16 KiB in eleven of them would be a megabyte of patterns.
MAX_SPELLED = 4_096
# Bytes that base64 carries over from what stands before: 0, 1 or 2, with the digits they spoil.
_ALIGNMENTS = ((0, 0), (1, 2), (2, 3))
_LEFT_OUT = re.compile(r"\n\[[0-9]+ bytes left out\]\n")


def unchanged(text: str) -> str:
    """Return the text: there is nothing secret to look for."""
    return text


class Scrubber:
    """Replaces each of some values, each line of one and their usual spellings by a mark."""

    def __init__(self, parts: Iterable[str]) -> None:
        # Longest first: a part of a value must not be marked inside of it.
        self._parts = sorted(parts, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        for part in self._parts:
            if part in text:
                text = text.replace(part, MARK)
        return text

    def before_cut(self, text: str) -> str:
        """Return the text without the beginning of a value at its end, where it was cut."""
        for part in self._parts:
            for size in range(min(len(part) - 1, len(text)), MIN_CUT - 1, -1):
                if text.endswith(part[:size]):
                    return text[:-size] + MARK
        return text

    def after_cut(self, text: str) -> str:
        """Return the text without the end of a value at its beginning, where it was cut."""
        for part in self._parts:
            for size in range(min(len(part) - 1, len(text)), MIN_CUT - 1, -1):
                if text.startswith(part[-size:]):
                    return MARK + text[size:]
        return text


def scrubber(values: Iterable[str]) -> Scrub:
    """Return a function that takes the values out of a text; `unchanged` if there are none."""
    parts: set[str] = set()
    for value in values:
        whole = value.strip()
        parts.update(line.strip() for line in (value, *value.splitlines()))
        if len(whole) <= MAX_SPELLED:
            parts.update(_spellings(whole))
    wanted = {part for part in parts if len(part) >= MIN_LENGTH}
    return Scrubber(wanted) if wanted else unchanged


def _spellings(value: str) -> Iterable[str]:
    """Return how a value looks in JSON, in an address, in hexadecimal and inside base64."""
    raw = value.encode()
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield raw.hex()
    yield raw.hex().upper()
    for shift, spoilt in _ALIGNMENTS:
        digits = base64.b64encode(b"\0" * shift + raw).decode()
        # The last digits depend on what follows: only whole groups of three bytes are sure.
        sure = digits[spoilt : (shift + len(raw)) // 3 * 4]
        if len(sure) >= 2 * MIN_LENGTH:
            yield sure
            yield sure.replace("+", "-").replace("/", "_")


def scrub_cut(text: str, scrub: Scrub) -> str:
    """Return a text scrubbed that somebody may have cut off in the middle of a value."""
    clean = scrub(text)
    return scrub.before_cut(clean) if isinstance(scrub, Scrubber) else clean


def scrub_captured(captured: CapturedStream, scrub: Scrub) -> CapturedStream:
    """Return captured output with both streams scrubbed, also where bytes were left out."""
    if scrub is unchanged:
        return captured
    stdout, stderr = (
        _scrub_stream(text, scrub, cut=captured.truncated)
        for text in (captured.stdout, captured.stderr)
    )
    return msgspec.structs.replace(captured, stdout=stdout, stderr=stderr)


def _scrub_stream(text: str, scrub: Scrub, *, cut: bool) -> str:
    clean = scrub(text)
    if not cut or not isinstance(scrub, Scrubber):
        return clean
    gap = _LEFT_OUT.search(clean)
    if gap is None:
        return clean
    head = scrub.before_cut(clean[: gap.start()])
    return head + gap.group() + scrub.after_cut(clean[gap.end() :])
