"""Scopes (`org/project/environment`) and patterns over them: `a/b/c`, `a/b/*`, `a/*` or `*`.

Who may do what in a scope stands in the roster; here is only which scopes a pattern means.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol.errors import DecodeError

LEVELS = 3
# Three names of 64 characters, of up to 4 bytes each, and the slashes.
MAX_SCOPE = 800


def check_scope(text: str) -> str:
    """Return the text if it is a scope: three parts, none empty, no `*` in them.

    Raises:
        DecodeError: it is not.
    """
    parts = text.split("/")
    if len(text) > MAX_SCOPE or len(parts) != LEVELS or not all(map(_is_name, parts)):
        raise DecodeError(f"{text[:64]!r} is not a scope; write org/project/environment")
    return text


def check_pattern(text: str) -> str:
    """Return the text if it is a scope, or the beginning of one with `*` for the rest.

    Raises:
        DecodeError: it is neither.
    """
    parts = text.split("/")
    if parts[-1] != "*":
        return check_scope(text)
    if len(text) > MAX_SCOPE or len(parts) > LEVELS or not all(map(_is_name, parts[:-1])):
        raise DecodeError(f"{text[:64]!r} is not a pattern of scopes; write org/project/* or org/*")
    return text


def _is_name(part: str) -> bool:
    return bool(part) and part.isprintable() and part.strip() == part and "*" not in part


def covers(pattern: str, scope: str) -> bool:
    """Say whether a pattern means a scope; names are compared to the letter."""
    if pattern == "*":
        return True
    if pattern.endswith("/*"):
        return scope.startswith(pattern[:-1])
    return pattern == scope


def closest(patterns: Iterable[str], scope: str) -> str | None:
    """Return the narrowest of the patterns that mean a scope: itself, else the longest."""
    found = [pattern for pattern in patterns if covers(pattern, scope)]
    return max(found, key=lambda pattern: (pattern == scope, len(pattern)), default=None)
