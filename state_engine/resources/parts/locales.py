"""The locales of glibc: which are generated, what their lists say, and the default's file.

Reads the archive of locales as glibc lays it out; which locales there should be is the kind's
affair.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

from state_engine.resources.parts import text_lines
from state_engine.resources.parts.text_lines import Line

# The tables of names lie at the archive's start; a full one of 900 locales has 100 KB of them.
MAX_ARCHIVE = 4 * 1_048_576
_HEAD = struct.Struct("=14I")
_ENTRY = struct.Struct("=3I")
_MAGIC = 0xDE020109
_LINE = re.compile(r"(?P<mark>\s*#\s*)?(?P<name>[A-Za-z][^\s#]*)\s+(?P<charset>\S+)\s*")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?P<key>[A-Z_]+)=(?P<value>.*)")


def normal(name: str) -> str:
    """Return a name as glibc files it: `de_DE.UTF-8` is `de_DE.utf8`."""
    rest, at, modifier = name.partition("@")
    language, dot, codeset = rest.partition(".")
    codeset = re.sub(r"[^a-z0-9]", "", codeset.lower())
    if codeset.isdigit():
        codeset = f"iso{codeset}"
    return f"{language}{dot}{codeset}{at}{modifier}"


def archived(data: bytes) -> dict[str, int]:
    """Return the names in an archive, of which `data` is the beginning, each with its record.

    Names with one record are names of one locale.

    Raises:
        ValueError: it is no such archive.
    """
    if len(data) < _HEAD.size:
        raise ValueError("the archive of locales is too short")
    magic, _, place, _, size, *_ = _HEAD.unpack_from(data)
    if magic != _MAGIC or place + size * _ENTRY.size > len(data):
        raise ValueError("the archive of locales has another form")
    found: dict[str, int] = {}
    for number in range(size):
        _, name, record = _ENTRY.unpack_from(data, place + number * _ENTRY.size)
        end = data.find(b"\0", name)
        # What was deleted keeps its name, with no record.
        if record and 0 < name < end:
            found[data[name:end].decode(errors="replace")] = record
    return found


def names_of(name: str, archive: dict[str, int]) -> tuple[str, ...]:
    """Return all names under which an archive has the locale of a name; () for none."""
    records = {record for each, record in archive.items() if normal(each) == normal(name)}
    return tuple(sorted(each for each, record in archive.items() if record in records))


def charset_of(name: str, supported: str) -> str | None:
    """Return the charset that the list of supported locales gives a name, or None."""
    for line in supported.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name:
            return words[1]
    return None


def listed(content: bytes, name: str) -> bool:
    """Say whether a list of locales to generate has a name."""
    found = (_LINE.fullmatch(line.text) for line in text_lines.split(content))
    return any(each and not each["mark"] and each["name"] == name for each in found)


def with_listed(content: bytes, name: str, charset: str, *, present: bool) -> bytes:
    """Return the list with a name, or without it; its line is marked as a comment then."""
    if listed(content, name) == present:
        return content
    lines = text_lines.split(content)
    done = False
    for index, line in enumerate(lines):
        found = _LINE.fullmatch(line.text)
        if found is None or found["name"] != name or bool(found["mark"]) != present:
            continue
        if not present:
            lines[index] = Line(f"# {line.text}", line.end)
        elif not done and found["charset"] == charset:
            lines[index] = Line(f"{name} {charset}", line.end)
            done = True
    if present and not done:
        lines = text_lines.insert(lines, len(lines), [f"{name} {charset}"])
    return text_lines.join(lines)


def variables(content: bytes) -> dict[str, str]:
    """Return what a file of assignments sets; the last of a name wins."""
    found = (_ASSIGNMENT.fullmatch(line.text) for line in text_lines.split(content))
    return {each["key"]: _unquoted(each["value"]) for each in found if each is not None}


def with_variables(content: bytes, keys: Iterable[str], value: str | None) -> bytes:
    """Return the assignments with these set to a value, or without them; the rest as it was."""
    lines = text_lines.split(content)
    for key in keys:
        places = [
            index
            for index, line in enumerate(lines)
            if (found := _ASSIGNMENT.fullmatch(line.text)) is not None and found["key"] == key
        ]
        if value is not None and not places:
            lines = text_lines.insert(lines, len(lines), [f"{key}={value}"])
            continue
        keep = places[-1] if value is not None else -1
        if keep >= 0:
            lines[keep] = Line(f"{key}={value}", lines[keep].end)
        lines = [line for index, line in enumerate(lines) if index == keep or index not in places]
    return text_lines.join(lines)


def _unquoted(value: str) -> str:
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
