"""Scopes and patterns over them are compared to the letter, and the narrowest pattern wins."""

from __future__ import annotations

import pytest

from protocol import scopes
from protocol.errors import DecodeError


@pytest.mark.parametrize(
    ("pattern", "scope", "expected"),
    [
        ("*", "a/b/c", True),
        ("a/*", "a/b/c", True),
        ("a/b/*", "a/b/c", True),
        ("a/b/c", "a/b/c", True),
        ("a/*", "ab/b/c", False),
        ("a/b/*", "a/bb/c", False),
        ("a/b/c", "a/b/cc", False),
        ("a/b/c", "A/b/c", False),
        ("a/b", "a/b/c", False),
        ("a*", "a/b/c", False),
    ],
)
def test_a_pattern_covers_what_lies_under_it(pattern: str, scope: str, expected: bool) -> None:
    """A star stands for whole parts only, and case counts."""
    assert scopes.covers(pattern, scope) is expected


def test_the_narrowest_pattern_is_the_closest() -> None:
    """The scope itself, then the longest pattern, in whatever order they stand."""
    patterns = ["*", "a/*", "a/b/*", "a/b/c", "long/project/*"]
    assert scopes.closest(patterns, "a/b/c") == "a/b/c"
    assert scopes.closest(reversed(patterns), "a/b/d") == "a/b/*"
    assert scopes.closest(patterns, "a/x/d") == "a/*"
    assert scopes.closest(patterns, "z/x/d") == "*"
    assert scopes.closest(patterns[1:], "z/x/d") is None


@pytest.mark.parametrize(
    "text",
    ["", "a", "a/b", "a/b/c/d", "a//c", "a/b/*", " a/b/c", "a/b/c\n", "a/b\x00/c", "a/b/\u202ec"],
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    """Three parts, each a printable name without a star or spaces around it."""
    with pytest.raises(DecodeError, match="not a scope"):
        scopes.check_scope(text)


def test_a_scope_and_a_pattern_pass_unchanged_and_are_bounded() -> None:
    """What is well-formed is handed back; what is longer than any scope is not."""
    assert scopes.check_scope("ö/b/c d") == "ö/b/c d"
    for text in ("*", "a/*", "a/b/*", "a/b/c"):
        assert scopes.check_pattern(text) == text
    longest = f"a/{'p' * (scopes.MAX_SCOPE - 4)}/c"
    assert scopes.check_scope(longest) == longest
    assert scopes.check_pattern(longest[:-1] + "*") == longest[:-1] + "*"
    for check in (scopes.check_scope, scopes.check_pattern):
        with pytest.raises(DecodeError):
            check(longest + "c")
    with pytest.raises(DecodeError, match="pattern"):
        scopes.check_pattern(f"{'p' * (scopes.MAX_SCOPE - 1)}/*")


@pytest.mark.parametrize("text", ["", "/*", "a/b/c/*", "a/*/*", "*/b/*", "a*/*", "a/b"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    """A star stands at the end and alone in its part."""
    with pytest.raises(DecodeError):
        scopes.check_pattern(text)
