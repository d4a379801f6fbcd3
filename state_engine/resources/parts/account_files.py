"""Reading /etc/passwd and /etc/group: the local accounts, as several kinds need them.

Only local files count: an account of a directory service is nobody's to manage here. The numbers
that file kinds resolve names to come from the account port instead, which asks them all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from state_engine.ports import PortError, Ports
from state_engine.resources.contract import SpecProblem

# A host with 100,000 local users has 8 MB of them; a larger file is not read.
MAX_BYTES = 16 * 1_048_576
MAX_ID = 2**32 - 2  # 2**32 - 1 means "no change" to the kernel
MAX_LISTED = 1_024
# What the account tools take on every distribution, so nothing that could be an option.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class User(msgspec.Struct, frozen=True):
    """One line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str


class Group(msgspec.Struct, frozen=True):
    """One line of /etc/group."""

    name: str
    gid: int
    members: frozenset[str]


def under(root: str, path: str) -> str:
    """Return where an absolute path of a system lies whose root directory is `root`."""
    return path if root == "/" else root.rstrip("/") + path


def users(root: str, ports: Ports) -> Mapping[str, User]:
    """Return the local users by name. Raises PortError."""
    return _users(_read(under(root, "/etc/passwd"), ports))


def groups(root: str, ports: Ports) -> Mapping[str, Group]:
    """Return the local groups by name. Raises PortError."""
    return _groups(_read(under(root, "/etc/group"), ports))


def group_name(gid: int, found: Mapping[str, Group]) -> str:
    """Return the first name of a group number, or the number as text."""
    return next((group.name for group in found.values() if group.gid == gid), str(gid))


def check_name(field: str, name: str) -> list[SpecProblem]:
    """Return what keeps a string from being the name of a local user or group."""
    if _NAME.fullmatch(name):
        return []
    hint = "use up to 31 letters, digits, `_`, `-` and `.`, beginning with a letter or `_`"
    return [SpecProblem(field, f"`{name}` is not a valid account name", hint)]


def check_name_or_number(field: str, name: str) -> list[SpecProblem]:
    """Return what keeps a string from being an account's name, or its number as text."""
    if name.isascii() and name.isdigit() and int(name) <= MAX_ID:
        return []
    return check_name(field, name)


def check_entry(field: str, value: str | None) -> list[SpecProblem]:
    """Return what keeps a text from standing in one field of /etc/passwd."""
    if value is None:
        return []
    if ":" in value or _CONTROL.search(value):
        return [SpecProblem(field, f"`{field}` holds a colon, a line break or a control character")]
    try:
        long = len(value.encode()) > MAX_LISTED
    except UnicodeEncodeError:
        return [SpecProblem(field, f"`{field}` is not valid Unicode")]
    return [SpecProblem(field, f"`{field}` is longer than {MAX_LISTED} bytes")] if long else []


def _read(path: str, ports: Ports) -> bytes:
    data = ports.files.read(path, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise PortError(f"{path} is larger than {MAX_BYTES} bytes", "EFBIG")
    return data


# Two users of the same file meet the same bytes; two entries serve one look and its second look.
@lru_cache(maxsize=2)
def _users(data: bytes) -> Mapping[str, User]:
    found: dict[str, User] = {}
    for parts in _entries(data, 7):
        name, _, uid, gid, comment, home, shell = parts
        if name not in found and _is_number(uid) and _is_number(gid):
            found[name] = User(name, int(uid), int(gid), comment, home, shell)
    return found


@lru_cache(maxsize=2)
def _groups(data: bytes) -> Mapping[str, Group]:
    found: dict[str, Group] = {}
    for name, _, gid, members in _entries(data, 4):
        if name not in found and _is_number(gid):
            names = frozenset(member for member in members.split(",") if member)
            found[name] = Group(name, int(gid), names)
    return found


def _entries(data: bytes, fields: int) -> list[list[str]]:
    """Return the lines that name a local account; `+` and `-` stand for accounts of elsewhere."""
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    parts = [line.split(":") for line in lines if line and line[0] not in "+-#"]
    return [part for part in parts if len(part) == fields and part[0]]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
