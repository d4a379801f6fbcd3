"""RPM version numbers, `epoch:version-release`: their order, as rpm's own `rpmvercmp` has it.

Pure. Which versions a host has or could have is `rpm_packages`.
"""

from __future__ import annotations

import re

# Nothing in a repository comes near this; it keeps one version from costing a look its time.
MAX_VERSION = 256
_VERSION = re.compile(r"(?:[0-9]{1,10}:)?[A-Za-z0-9][A-Za-z0-9._+~^]*(?:-[A-Za-z0-9._+~^]+)?")
_SEGMENT = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")


def is_version(text: str) -> bool:
    """Say whether a string can be the version of a package."""
    return len(text) <= MAX_VERSION and _VERSION.fullmatch(text) is not None


def compare(left: str, right: str) -> int:
    """Return -1, 0 or 1 as `left` is earlier than, the same as or later than `right`.

    A release that only one of them names is not compared: `1.2` is the same as `1.2-3`. An epoch
    that is left out is 0.
    """
    epoch, version, release = split(left)
    other_epoch, other_version, other_release = split(right)
    order = _number(epoch, other_epoch) or order_of(version, other_version)
    if order or not release or not other_release:
        return order
    return order_of(release, other_release)


def split(text: str) -> tuple[str, str, str]:
    """Return epoch, version and release; what is left out is empty (the epoch: "0")."""
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    version, _, release = rest.partition("-")
    return epoch, version, release


def order_of(left: str, right: str) -> int:
    """Return the order of two versions (or two releases) without epoch."""
    ones, others = _SEGMENT.findall(left), _SEGMENT.findall(right)
    for one, other in zip(ones, others, strict=False):
        if one == other:
            continue
        # `~` is before everything, even the end; `^` is after the end, and before all else.
        for mark, before in (("~", -1), ("^", -1)):
            if mark in {one, other}:
                return before if one == mark else -before
        if one[0].isdigit() != other[0].isdigit():
            return 1 if one[0].isdigit() else -1
        order = _number(one, other) if one[0].isdigit() else (one > other) - (one < other)
        if order:
            return order
    return _rest(ones[len(others) :]) - _rest(others[len(ones) :])


def _rest(segments: list[str]) -> int:
    """Return what a longer version's surplus makes of it: 1 is later, -1 earlier."""
    if not segments:
        return 0
    return -1 if segments[0] == "~" else 1


def _number(left: str, right: str) -> int:
    one, other = left.lstrip("0"), right.lstrip("0")
    key, other_key = (len(one), one), (len(other), other)
    return (key > other_key) - (key < other_key)
