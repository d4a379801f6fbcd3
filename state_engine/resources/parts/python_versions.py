"""Version numbers of Python packages: when two of them are the same (PEP 440). Pure."""

from __future__ import annotations

import re

# Nothing in an index comes near this; it keeps one version from costing a look its time.
MAX_VERSION = 128
_VERSION = re.compile(
    r"v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>[0-9]*))?"
    r"(?P<post>-(?P<post_bare>[0-9]+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>[0-9]*))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>[0-9]*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.ASCII,
)
_PRE = {"alpha": "a", "beta": "b", "preview": "rc", "pre": "rc", "c": "rc"}


def canonical(version: str) -> str | None:
    """Return the one way of writing a version, or None if it is none."""
    if len(version) > MAX_VERSION:
        return None
    found = _VERSION.fullmatch(version.strip().lower())
    if found is None:
        return None
    release = [_number(part) for part in found["release"].split(".")]
    while len(release) > 1 and release[-1] == "0":
        release.pop()
    epoch = _number(found["epoch"] or "0")
    text = ("" if epoch == "0" else f"{epoch}!") + ".".join(release)
    if found["pre"]:
        text += _PRE.get(found["pre"], found["pre"]) + _number(found["pre_number"])
    if found["post"]:
        text += f".post{_number(found['post_bare'] or found['post_number'] or '')}"
    if found["dev"]:
        text += f".dev{_number(found['dev_number'])}"
    if found["local"]:
        parts = re.split(r"[-_.]", found["local"])
        text += "+" + ".".join(_number(part) if part.isdigit() else part for part in parts)
    return text


def is_what_was_asked(version: str, wanted: str) -> bool:
    """Say whether `==wanted` takes a version: a local part counts only if it was asked for."""
    have, want = canonical(version), canonical(wanted)
    if have is None or want is None:
        return version == wanted
    return have == want if "+" in want else have.partition("+")[0] == want


def normal_name(name: str) -> str:
    """Return the one way of writing the name of a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _number(digits: str) -> str:
    return digits.lstrip("0") or "0"
