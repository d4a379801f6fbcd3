"""Text files as lines that each keep their own ending, so that an edit leaves the rest as it is.

Bytes that are no UTF-8 pass through unchanged. What the lines mean is the kinds' affair.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from state_engine.resources.contract import SpecProblem

# POSIX guarantees lines of 2,048 bytes; configuration with longer ones is rare.
MAX_LINE = 4_096


class Line(NamedTuple):
    r"""A line without its ending, and the ending: "\n", "\r\n", or "" at the end of a file."""

    text: str
    end: str


def split(content: bytes) -> list[Line]:
    """Return the lines of a file; `join` gives the same bytes back."""
    parts = content.decode("utf-8", "surrogateescape").split("\n")
    last = parts.pop()
    lines = [Line(part[:-1], "\r\n") if part.endswith("\r") else Line(part, "\n") for part in parts]
    return [*lines, Line(last, "")] if last else lines


def join(lines: Sequence[Line]) -> bytes:
    """Return the content that consists of the lines."""
    return "".join(line.text + line.end for line in lines).encode("utf-8", "surrogateescape")


def insert(lines: Sequence[Line], index: int, texts: Sequence[str]) -> list[Line]:
    """Return the lines with new ones before `index`, ended as the first line of the file is."""
    end = ending(lines)
    before = list(lines[:index])
    if before and not before[-1].end and texts:
        before[-1] = Line(before[-1].text, end)
    return [*before, *(Line(text, end) for text in texts), *lines[index:]]


def ending(lines: Sequence[Line]) -> str:
    """Return how the lines of a file end: as its first one does."""
    return (lines[0].end if lines else "") or "\n"


def digest(text: str) -> str:
    """Return the name of a text in what a decision binds."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def shown(text: str) -> str:
    r"""Return what the system has said as text that can be written down: `\xff` for such a byte."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def check_line(field: str, text: str, limit: int = MAX_LINE) -> list[SpecProblem]:
    """Return what keeps a text from being (a part of) one line of a text file."""
    problem: SpecProblem | None = None
    if len(text) > limit:
        problem = SpecProblem(field, f"`{field}` is longer than {limit} characters")
    elif "\n" in text or "\r" in text:
        problem = SpecProblem(field, f"`{field}` holds a line break", "write one line")
    elif any(_is_control(char) for char in text):
        problem = SpecProblem(field, f"`{field}` holds a control character")
    return [problem] if problem else []


def check_block(field: str, text: str, limit: int) -> list[SpecProblem]:
    """Return what keeps a text from being lines of a text file."""
    if len(text) > limit:
        return [SpecProblem(field, f"`{field}` is longer than {limit} characters")]
    if any(_is_control(char) for char in text if char != "\n"):
        hint = "end lines with a plain line feed: the file's own line endings are kept"
        return [SpecProblem(field, f"`{field}` holds a control character", hint)]
    return []


def _is_control(char: str) -> bool:
    return char != "\t" and unicodedata.category(char) in {"Cc", "Cs"}
