"""The kind `hosts-entry`: the address of host names in the static table of hosts(5)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from itertools import starmap
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import Change
from state_engine.resources.contract import Spec, SpecProblem
from state_engine.resources.parts import text_lines
from state_engine.resources.parts.file_part import FilePart, Part, Verdict, path_of
from state_engine.resources.parts.text_lines import Line
from state_engine.resources.parts.unix_paths import Ensure, check_path

HOSTS = "/etc/hosts"
# glibc stops at 4 KB lines in places; 32 names of at most 100 characters stay below.
MAX_NAMES = 32
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_TOKEN = re.compile(r"\S+")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class HostsEntrySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Host names that stand for an address in `/etc/hosts`, and for no other of its family.

    Names are taken off the lines of other addresses of the same family (IPv4 or IPv6); other names,
    comments and lines stay. On removal names that were nowhere before us are taken out; names that
    had an address before us stay as they are.
    """

    ip: Annotated[str, Meta(description="IPv4 or IPv6 address.", examples=["192.0.2.10"])]
    names: Annotated[
        list[str],
        Meta(description="Host names, the full one first.", examples=[["db.example.net", "db"]]),
    ]
    path: Annotated[
        str | None, Meta(description=f"Another file of this form. Default: `{HOSTS}`.")
    ] = None
    ensure: Annotated[
        Ensure, Meta(description="`absent` takes the names off the lines of this address.")
    ] = "present"


class Entry(msgspec.Struct, frozen=True):
    """One line with an address."""

    index: int
    address: _Address
    names: frozenset[str]


class HostsEntry(FilePart):
    """Entries of the hosts file."""

    name = "hosts-entry"
    spec_type: type[msgspec.Struct] = HostsEntrySpec

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of address, names and path."""
        item = _spec(spec)
        problems = check_path("path", _path(item))
        if _address(item.ip) is None:
            problems.append(SpecProblem("ip", f"`{item.ip[:50]}` is not an IP address"))
        if not item.names or len(item.names) > MAX_NAMES:
            problems.append(SpecProblem("names", f"`names` must be 1 to {MAX_NAMES} names"))
        for name in item.names:
            if not _NAME.fullmatch(name):
                problems.append(SpecProblem("names", f"`{name[:50]}` is not a host name"))
        if len(_names(item)) != len(item.names):
            problems.append(SpecProblem("names", "a name stands in `names` twice"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the family and the first name: that name has one address in a family."""
        del resource_id
        ip, names = spec.get("ip"), spec.get("names")
        if not isinstance(ip, str) or not isinstance(names, list) or not names:
            return None
        first = names[0]
        if not isinstance(first, str):
            return None
        family = "ipv6" if ":" in ip else "ipv4"
        path = path_of(spec)
        place = "" if path in {None, HOSTS} else f"{path}: "
        return f"{place}{family}:{first.lower()}"

    def part(self, spec: Spec) -> Part:
        """Return path, ensure; a missing file is made."""
        item = _spec(spec)
        return Part(_path(item), item.ensure, create=True)

    def judge(self, spec: Spec, content: bytes) -> Verdict:
        """Return the content with the names at this address (or not there)."""
        item = _spec(spec)
        wanted = _names(item)
        lines = text_lines.split(content)
        address = ipaddress.ip_address(item.ip)
        entries = [entry for entry in _entries(lines) if entry.names & wanted]
        here = [entry for entry in entries if entry.address == address]
        elsewhere = [
            entry
            for entry in entries
            if entry.address != address and entry.address.version == address.version
        ]
        have = frozenset(name for entry in here for name in entry.names & wanted)
        facts: dict[str, Json] = {
            "here": [*sorted(have)],
            "elsewhere": [text_lines.digest(lines[entry.index].text) for entry in elsewhere],
        }
        if item.ensure == "absent":
            left = _without(lines, here, wanted)
            change = Change("names", _listed(item, have), None)
            gone = (change,) if have else ()
            return Verdict(text_lines.join(left), bool(have), facts, gone)
        missing = [name for name in item.names if name.lower() not in have]
        changed = list(lines)
        if missing and here:
            changed[here[0].index] = _with_names(lines[here[0].index], missing)
        changed = _without(changed, elsewhere, wanted)
        if missing and not here:
            text = f"{item.ip}\t{' '.join(item.names)}"
            changed = text_lines.insert(changed, len(changed), [text])
        changes = _changes(item, have, elsewhere, missing=bool(missing))
        return Verdict(text_lines.join(changed), bool(here or elsewhere), facts, changes)

    def taken_out(self, spec: Spec, content: bytes) -> bytes:
        """Return the content without the names at this address."""
        item = _spec(spec)
        lines = text_lines.split(content)
        address = ipaddress.ip_address(item.ip)
        here = [entry for entry in _entries(lines) if entry.address == address]
        return text_lines.join(_without(lines, here, _names(item)))


def _spec(spec: Spec) -> HostsEntrySpec:
    return msgspec.convert(spec, HostsEntrySpec)


def _path(item: HostsEntrySpec) -> str:
    return HOSTS if item.path is None else item.path


def _names(item: HostsEntrySpec) -> frozenset[str]:
    return frozenset(name.lower() for name in item.names)


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _entries(lines: list[Line]) -> list[Entry]:
    found: list[Entry] = []
    for index, line in enumerate(lines):
        words = line.text.partition("#")[0].split()
        address = _address(words[0]) if len(words) > 1 else None
        if address is not None:
            found.append(Entry(index, address, frozenset(word.lower() for word in words[1:])))
    return found


def _with_names(line: Line, names: list[str]) -> Line:
    body, mark, comment = line.text.partition("#")
    kept = body.rstrip()
    return Line(" ".join([kept, *names]) + body[len(kept) :] + mark + comment, line.end)


def _without(lines: list[Line], entries: list[Entry], names: Collection[str]) -> list[Line]:
    """Return the lines with names taken off; a line whose address has no name left goes."""
    changed: dict[int, Line | None] = {}
    for entry in entries:
        line = lines[entry.index]
        if not entry.names & frozenset(names):
            continue
        if entry.names <= frozenset(names):
            changed[entry.index] = None
            continue
        body, mark, comment = line.text.partition("#")
        kept, copied = "", 0
        for number, word in enumerate(_TOKEN.finditer(body)):
            if number == 0 or word[0].lower() not in names:
                kept += body[copied : word.end()]
            copied = word.end()
        changed[entry.index] = Line(kept + body[copied:] + mark + comment, line.end)
    left = starmap(changed.get, enumerate(lines))
    return [line for line in left if line is not None]


def _listed(item: HostsEntrySpec, names: Collection[str]) -> str | None:
    return " ".join(name for name in item.names if name.lower() in names) or None


def _changes(
    item: HostsEntrySpec, have: frozenset[str], elsewhere: list[Entry], *, missing: bool
) -> tuple[Change, ...]:
    changes: list[Change] = []
    if elsewhere:
        others = dict.fromkeys(str(entry.address) for entry in elsewhere)
        changes.append(Change("ip", " ".join(others), item.ip))
    if missing:
        changes.append(Change("names", _listed(item, have), " ".join(item.names)))
    return tuple(changes)
