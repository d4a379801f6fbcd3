"""Lines of a system crontab: checked strictly, written so that cron runs what was meant, read back.

What cron would pass over in silence is a problem here. No look outside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

KEYWORDS = (
    "@annually",
    "@daily",
    "@hourly",
    "@midnight",
    "@monthly",
    "@reboot",
    "@weekly",
    "@yearly",
)
# cron cuts a command of more than 999 bytes, and an environment line too.
MAX_LINE = 990
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBER = re.compile(r"[0-9]{1,2}")
_DAYS_OF = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENTRY = re.compile(r"(@[a-z]+|\S+ \S+ \S+ \S+ \S+) (\S+) (.+)")
_SETTING = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)=(?:"([^"]*)"|'([^']*)')""")


class Field(msgspec.Struct, frozen=True):
    """One of the five fields: its words, its range, and the names for its numbers."""

    words: str
    low: int
    high: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, _MONTHS),
    Field("day of the week", 0, 7, _DAYS),
)


class Job(msgspec.Struct, frozen=True):
    """What a file of /etc/cron.d says: one command and its environment."""

    schedule: str
    user: str
    command: str
    environment: Mapping[str, str]


def schedule_problem(schedule: str) -> str | None:
    """Return what is wrong with five fields or a keyword, or None."""
    if schedule.startswith("@"):
        if schedule in KEYWORDS:
            return None
        return f"`{schedule}` is none of {', '.join(KEYWORDS)}"
    texts = schedule.split(" ")
    if len(texts) != len(FIELDS) or not all(texts):
        return f"`{schedule}` is not five fields with one space between them"
    numbers: list[frozenset[int]] = []
    for text, field in zip(texts, FIELDS, strict=True):
        found = _numbers(text, field)
        if isinstance(found, str):
            return f"{field.words} `{text}`: {found}"
        numbers.append(found)
    if texts[4] == "*" and not any(min(numbers[2]) <= _DAYS_OF[month - 1] for month in numbers[3]):
        return f"`{schedule}` never comes: no such month has such a day"
    return None


def command_problem(command: str) -> str | None:
    """Return what keeps a command from being one line that cron runs as it is written."""
    if not command or command != command.strip():
        return "the command is empty, or begins or ends with a space"
    if _CONTROL.search(command):
        return "the command holds a line break or a control character; call a script instead"
    if "\\%" in command:
        return "write `%` without a backslash: it is put in where cron needs it"
    return None


def environment_problem(name: str, value: str) -> str | None:
    """Return what keeps a variable from standing in a crontab."""
    if not _NAME.fullmatch(name):
        return f"`{name}` is not the name of a variable"
    if _CONTROL.search(value):
        return f"the value of `{name}` holds a line break or a control character"
    if '"' in value and "'" in value:
        return f"the value of `{name}` holds both kinds of quotes, which cron cannot read"
    if len(setting(name, value).encode()) > MAX_LINE:
        return f"`{name}` and its value are longer than {MAX_LINE} bytes"
    return None


def setting(name: str, value: str) -> str:
    """Return the line that sets a variable."""
    quote = "'" if '"' in value else '"'
    return f"{name}={quote}{value}{quote}"


def render(job: Job, head: str) -> str:
    """Return the file: a comment, the variables by name, the entry."""
    lines = [f"# {head}"]
    lines += [setting(name, job.environment[name]) for name in sorted(job.environment)]
    command = job.command.replace("%", "\\%")
    return "\n".join([*lines, f"{job.schedule} {job.user} {command}", ""])


def parse(text: str) -> Job | None:
    """Return what a file says if it is in the form that `render` writes; None for any other."""
    environment: dict[str, str] = {}
    entries: list[tuple[str, str, str]] = []
    for line in text.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        found = _SETTING.fullmatch(line)
        if found is not None:
            environment[found[1]] = found[2] if found[2] is not None else found[3]
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            return None
        entries.append((entry[1], entry[2], entry[3].replace("\\%", "%")))
    if len(entries) != 1:
        return None
    return Job(*entries[0], environment)


def _numbers(text: str, field: Field) -> frozenset[int] | str:
    found: set[int] = set()
    for part in text.split(","):
        numbers = _part(part, field)
        if isinstance(numbers, str):
            return numbers
        found.update(numbers)
    return frozenset(found)


def _part(part: str, field: Field) -> range | str:
    span, slash, step = part.partition("/")
    low, dash, high = span.partition("-")
    if slash and not (_NUMBER.fullmatch(step) and 1 <= int(step) <= field.high):
        return f"`{part}` needs a step from 1 to {field.high} after its `/`"
    if slash and span != "*" and not dash:
        return f"`{part}` steps from a single number; write `{low}-{field.high}/{step}`"
    if span == "*":
        return range(field.low, field.high + 1, int(step or 1))
    first = _number(low, field)
    last = _number(high, field) if dash else first
    if first is None or last is None:
        names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
        return f"`{span}` is not a number from {field.low} to {field.high}{names}"
    if last < first:
        return f"`{span}` runs backwards; write two ranges"
    return range(first, last + 1, int(step or 1))


def _number(text: str, field: Field) -> int | None:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + (1 if field.low == 1 else 0)
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) if field.low <= int(text) <= field.high else None
