"""Taking secret values out of text before it leaves the host, also in the spellings they take on.

Where a value comes from is the business of `engine.secrets`.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
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
_LEFT_OUT = re.compile(r"(\n\[[0-9]+ bytes left out\]\n)")
# Lines that a program may have folded one long word into: base64 and hexadecimal, 60 or 76 wide.
_FOLDED = re.compile(r"[A-Za-z0-9+/=._-]{20,}(?:\r?\n[ \t]*[A-Za-z0-9+/=._-]+)+")
_WORD = re.compile(r"[A-Za-z0-9+/=._-]{20,}\Z")
# What stands for a letter of which a cut left half the bytes.
_HALF = "\ufffd"


def unchanged(text: str) -> str:
    """Return the text: there is nothing secret to look for."""
    return text


class Scrubber:
    """Replaces each of some values, each line of one and their usual spellings by a mark."""

    def __init__(self, parts: Iterable[str]) -> None:
        # Longest first: a part of a value must not be marked inside of it.
        self._parts = sorted(parts, key=len, reverse=True)
        self._words = [part for part in self._parts if _WORD.match(part)]

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        for part in self._parts:
            if part in text:
                text = text.replace(part, MARK)
        return _FOLDED.sub(self._unfolded, text) if self._words and "\n" in text else text

    def _unfolded(self, match: re.Match[str]) -> str:
        """Return lines without those that one of the values was folded into."""
        lines = match.group().split("\n")
        starts = [0, *accumulate(len(line.strip()) for line in lines)]
        whole = "".join(line.strip() for line in lines)
        for part in self._words:
            at = whole.find(part)
            while at >= 0:
                first = bisect_right(starts, at) - 1
                last = bisect_left(starts, at + len(part))
                lines[first:last] = [MARK] * (last - first)
                at = whole.find(part, at + len(part))
        return "\n".join(lines)

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
    """Return how a value looks in JSON, in an address, in hexadecimal, in quotes, in base64."""
    raw = value.encode()
    yield from _quoted(value)
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


def _quoted(value: str) -> Iterable[str]:
    """Return how shells trace a value, and how programs, mark-up and databases quote it."""
    yield value.replace("'", "'\\''")
    yield value.replace("'", "'\"'\"'")
    yield value.replace("'", "''")
    yield value.replace("%", "%%")
    yield re.sub(r"([\"$`\\])", r"\\\1", value)
    yield re.sub(r"([^A-Za-z0-9])", r"\\\1", value)
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", value)
    yield re.escape(value)
    yield repr(value)[1:-1]
    yield html.escape(value, quote=False)
    yield html.escape(value)
    yield html.escape(value).replace("&#x27;", "&#39;")
    yield html.escape(value).replace("&#x27;", "'")


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
    # A program may print such a mark too, so that any of them may be where the cut is.
    pieces = _LEFT_OUT.split(clean)
    for number in range(0, len(pieces), 2):
        if number > 0:
            pieces[number] = _beyond(pieces[number], scrub)
        if number < len(pieces) - 1:
            pieces[number] = scrub.before_cut(pieces[number].rstrip(_HALF))
    return "".join(pieces)


def _beyond(text: str, scrub: Scrubber) -> str:
    rest = text.lstrip(_HALF)
    return text[: len(text) - len(rest)] + scrub.after_cut(rest)
