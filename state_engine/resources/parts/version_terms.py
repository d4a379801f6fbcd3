"""Constraints on versions such as `>= 1.2, < 2`, for any way of ordering versions. It is no kind.

Pure. How versions are ordered is given by who asks (`rpm_versions`, `alpine_versions`).
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable

import msgspec

Compare = Callable[[str, str], int]
_TERM = re.compile(r"(<=|<|=|>=|>)\s*(\S+)")
_RELATIONS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


class Term(msgspec.Struct, frozen=True):
    """One relation that a version must satisfy."""

    relation: str
    version: str


def parse(text: str, is_version: Callable[[str], bool]) -> tuple[Term, ...] | None:
    """Return the terms of a constraint, or None if the text is none."""
    terms: list[Term] = []
    for part in text.split(","):
        found = _TERM.fullmatch(part.strip())
        if found is None or not is_version(found[2]):
            return None
        terms.append(Term(found[1], found[2]))
    return tuple(terms)


def satisfies(version: str, terms: Iterable[Term], compare: Compare) -> bool:
    """Say whether a version satisfies every term."""
    return all(_RELATIONS[term.relation](compare(version, term.version), 0) for term in terms)


def latest(versions: Iterable[str], compare: Compare) -> str | None:
    """Return the latest of some versions, or None if there are none."""
    return max(versions, key=functools.cmp_to_key(compare), default=None)
