"""Alpine version numbers such as `1.36.1_rc2-r3`: their order, as apk's own code has it.

Pure. Which versions a host has or could have is `apk_packages`.
"""

from __future__ import annotations

import itertools
import re

# Nothing in a repository comes near this; it keeps one version from costing a look its time.
MAX_VERSION = 256
_BEFORE = ("alpha", "beta", "pre", "rc")
_AFTER = ("cvs", "svn", "git", "hg", "p")
_SUFFIXES = "|".join((*_BEFORE, *_AFTER))
_VERSION = re.compile(
    rf"([0-9]+(?:\.[0-9]+)*)([a-z]?)((?:_(?:{_SUFFIXES})[0-9]*)*)(?:~[0-9a-f]+)?(?:-r([0-9]+))?"
)
_SUFFIX = re.compile(rf"_({_SUFFIXES})([0-9]*)")
# A suffix by its place around a version without one, which is 0.
_RANK = {name: place for place, name in enumerate((*_BEFORE, "", *_AFTER), -len(_BEFORE))}
_Number = tuple[int, str]
_NONE: _Number = (0, "")


def is_version(text: str) -> bool:
    """Say whether a string can be the version of a package."""
    return len(text) <= MAX_VERSION and _VERSION.fullmatch(text) is not None


def compare(left: str, right: str) -> int:
    """Return -1, 0 or 1 as `left` is earlier than, the same as or later than `right`.

    What is no version is ordered as text, before every version.
    """
    one, other = _VERSION.fullmatch(left), _VERSION.fullmatch(right)
    if one is None or other is None:
        key, other_key = (one is not None, left), (other is not None, right)
        return (key > other_key) - (key < other_key)
    order = _components(one[1].split("."), other[1].split("."))
    order = order or (one[2] > other[2]) - (one[2] < other[2])
    order = order or _suffixes(one[3], other[3])
    if order:
        return order
    release, other_release = _number(one[4] or "0"), _number(other[4] or "0")
    return (release > other_release) - (release < other_release)


def _components(ones: list[str], others: list[str]) -> int:
    for place, (one, other) in enumerate(itertools.zip_longest(ones, others)):
        if one is None or other is None:
            return 1 if other is None else -1  # 1.2 is before 1.2.0
        # After the first, a leading zero makes a fraction of it: 1.09 is before 1.1.
        fraction = place > 0 and (one.startswith("0") or other.startswith("0"))
        key = (0, one) if fraction else _number(one)
        other_key = (0, other) if fraction else _number(other)
        if key != other_key:
            return 1 if key > other_key else -1
    return 0


def _suffixes(left: str, right: str) -> int:
    ones, others = _SUFFIX.findall(left), _SUFFIX.findall(right)
    for one, other in itertools.zip_longest(ones, others, fillvalue=("", "")):
        key = (_RANK[one[0]], _number(one[1] or "0"))
        other_key = (_RANK[other[0]], _number(other[1] or "0"))
        if key != other_key:
            return 1 if key > other_key else -1
    return 0


def _number(digits: str) -> _Number:
    # Longer is greater, once the zeros are gone: no limit on digits, as there is for int().
    digits = digits.lstrip("0")
    return len(digits), digits
