"""The text of systemd's unit files: which values they can hold, how they are quoted, how read.

Pure text. What a unit says of a service is `service_unit_file`; asking systemd is `systemd_units`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from state_engine.resources.contract import SpecProblem

SUFFIXES = (
    ".service", ".socket", ".target", ".timer", ".mount", ".automount", ".path", ".slice",
    ".scope", ".swap", ".device",
)  # fmt: skip
MAX_NAME = 255  # UNIT_NAME_MAX, with the suffix
MAX_VALUE = 65_536  # far below the 1 MiB that systemd reads of a line
Settings = dict[tuple[str, str], tuple[str, ...]]

_NAME = re.compile(r"[A-Za-z0-9:_@\\][A-Za-z0-9:_.@\\-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_name(field: str, name: str, suffix: str) -> list[SpecProblem]:
    """Return what keeps a text from being a unit's name without its suffix."""
    if name.endswith(SUFFIXES):
        message = f"`{name}` carries a suffix"
        hint = f"write the name of a {suffix} unit without it"
        return [SpecProblem(field, message, hint)]
    if not _NAME.fullmatch(name) or len(name) + len(suffix) > MAX_NAME:
        hint = "letters, digits and `:_.@-`, not beginning with `-` or `.`"
        return [SpecProblem(field, f"`{name}` is not a unit's name", hint)]
    if name.endswith("@") or name.startswith("@"):
        message = f"`{name}` is a template; only an instance of it can be managed"
        return [SpecProblem(field, message, f"name an instance: `{name.strip('@')}@something`")]
    return []


def check_unit(field: str, unit: str) -> list[SpecProblem]:
    """Return what keeps a text from being a unit's name, with or without a suffix."""
    known = next((suffix for suffix in SUFFIXES if unit.endswith(suffix)), "")
    return check_name(field, unit.removesuffix(known) if known else unit, known or ".service")


def check_value(field: str, value: str, what: str) -> list[SpecProblem]:
    """Return what keeps a text from standing on one line of a unit file, as it is."""
    problem: str | None = None
    if _CONTROL.search(value):
        problem = f"{what} cannot hold a newline or another control character"
    elif not _encodable(value):
        problem = f"{what} is not valid Unicode"
    elif len(value.encode()) > MAX_VALUE:
        problem = f"{what} is longer than {MAX_VALUE} bytes"
    return [SpecProblem(field, problem)] if problem else []


def check_bare(field: str, value: str, what: str) -> list[SpecProblem]:
    """Return what keeps a text from standing unquoted after `Key=`."""
    problems = check_value(field, value, what)
    if not problems and value != value.strip():
        problems.append(SpecProblem(field, f"{what} begins or ends with white space"))
    if not problems and value.endswith("\\"):
        message = f"{what} cannot end with a backslash: systemd would join the next line to it"
        problems.append(SpecProblem(field, message))
    return problems


def check_variable(field: str, name: str) -> list[SpecProblem]:
    """Return what keeps a text from naming an environment variable."""
    if _VARIABLE.fullmatch(name):
        return []
    hint = "letters, digits and `_`, not beginning with a digit"
    return [SpecProblem(field, f"`{name}` is not a variable's name", hint)]


def specifiers_escaped(value: str) -> str:
    """Return a text in which systemd replaces nothing: `%` doubled."""
    return value.replace("%", "%%")


def argument(value: str) -> str:
    """Return one word of a command line that means exactly the value."""
    if _PLAIN.fullmatch(value):
        return value
    return _quoted(value.replace("$", "$$"))


def assignment(name: str, value: str) -> str:
    """Return `NAME=value` as `Environment=` takes it; variables are not expanded there."""
    return _quoted(f"{name}={value}")


def parse(text: str) -> Settings:
    """Return each setting's values in order, by section and key, as systemd reads the lines.

    An empty value empties what came before it. Comments and lines outside a section are left out.
    """
    found: Settings = {}
    section = ""
    for line in _joined(text.split("\n")):
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
            continue
        key, equals, value = stripped.partition("=")
        if not equals or not section:
            continue
        place = section, key.rstrip()
        value = value.lstrip()
        found[place] = (*found.get(place, ()), value) if value else ()
    return found


def _joined(lines: Iterable[str]) -> Iterable[str]:
    """Return the lines without comments, each with those that a backslash joins to it."""
    whole: list[str] = []
    for line in lines:
        if line.lstrip().startswith(("#", ";")) or (not whole and not line.strip()):
            continue
        if line.endswith("\\"):
            whole.append(line[:-1])
            continue
        yield " ".join([*whole, line])
        whole = []
    if whole:
        yield " ".join(whole)


def _quoted(value: str) -> str:
    escaped = specifiers_escaped(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
