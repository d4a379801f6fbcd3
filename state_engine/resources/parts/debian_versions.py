"""Debian version numbers: their order (Debian Policy 5.6.12) and constraints on them.

Pure. Which versions a host has or could have is `dpkg_status` and `apt_tools`.
"""

from __future__ import annotations

import functools
import itertools
import operator
import re
from collections.abc import Callable, Iterable

import msgspec

# Nothing in an archive comes near this; it keeps one version from costing a look its time.
MAX_VERSION = 256
_VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~:-]*")
_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_TERM = re.compile(r"(<<|<=|<|=|>=|>>|>)\s*(\S+)")
_RELATIONS: dict[str, Callable[[int, int], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">>": operator.gt,
}
# In control files `<` once meant `<=`; in a module it can only be read as what it says.
_ALIASES = {"<": "<<", ">": ">>"}
_Part = tuple[tuple[int, ...], tuple[int, str]]
_NO_PART: _Part = ((0,), (0, ""))


class Term(msgspec.Struct, frozen=True):
    """One relation that a version must satisfy; `relation` as control files write it."""

    relation: str
    version: str


def is_version(text: str) -> bool:
    """Say whether a string can be the version of a Debian package."""
    return len(text) <= MAX_VERSION and _VERSION.fullmatch(text) is not None


def compare(left: str, right: str) -> int:
    """Return -1, 0 or 1 as `left` is earlier than, the same as or later than `right`.

    Takes any string: what a host has is not for us to refuse.
    """
    for one, other in zip(_split(left), _split(right), strict=True):
        for a, b in itertools.zip_longest(_parts(one), _parts(other), fillvalue=_NO_PART):
            if a != b:
                return -1 if a < b else 1
    return 0


def parse_constraint(text: str) -> tuple[Term, ...] | None:
    """Return the terms of text such as `>= 1.2, << 2`, or None if it is no constraint."""
    terms: list[Term] = []
    for part in text.split(","):
        found = _TERM.fullmatch(part.strip())
        if found is None or not is_version(found[2]):
            return None
        terms.append(Term(_ALIASES.get(found[1], found[1]), found[2]))
    return tuple(terms)


def satisfies(version: str, terms: Iterable[Term]) -> bool:
    """Say whether a version satisfies every term."""
    return all(_RELATIONS[term.relation](compare(version, term.version), 0) for term in terms)


def latest(versions: Iterable[str]) -> str | None:
    """Return the latest of some versions, or None if there are none."""
    return max(versions, key=functools.cmp_to_key(compare), default=None)


def _split(version: str) -> tuple[str, str, str]:
    """Return epoch, upstream version and revision; what is left out is empty."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, hyphen, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if hyphen else (epoch, rest, "")


def _parts(text: str) -> list[_Part]:
    return [
        # A run of other characters ends with 0: `~` (-1) sorts before that, all else after it.
        ((*(_order(char) for char in other), 0), _number(digits))
        for other, digits in _PARTS.findall(text)
    ]


def _order(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isascii() and char.isalpha() else ord(char) + 256


def _number(digits: str) -> tuple[int, str]:
    # Longer is greater, once the zeros are gone: no limit on digits, as there is for int().
    digits = digits.lstrip("0")
    return len(digits), digits
