"""Patterns that find lines in bounded time."""

from __future__ import annotations

import pytest

from state_engine.resources.parts.line_pattern import (
    MAX_MEMORY,
    MAX_NESTING,
    MAX_PATTERN,
    PatternError,
    compiled,
)


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("^#?\\s*PermitRootLogin\\b", "#  PermitRootLogin no", "PermitRootLoginX no"),
        ("(?i)^host\\s+(one|two)$", "HOST  Two", "host three"),
        ("[]x]", "]", "y"),
        ("[^\\w-]", "a b", "a-b"),
        ("a{2,3}b", "xaab", "xab"),
        ("\\.conf$", "a.conf", "a.conf "),
        ("(?i)[^k]", "x", "K"),
        ("x|^$", "", "y"),
        ("\\tk", "a\tk", "a k"),
    ],
)
def test_a_pattern_finds_what_it_says(pattern: str, found: str, missed: str) -> None:
    """The language as people know it."""
    assert compiled(pattern).found_in(found)
    assert not compiled(pattern).found_in(missed)


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a)", "[a", "*a", "a**", "a{", "a{3,2}", "a{101}", "a{x}", "\\", "\\1", "\\q",
     "[b-a]", "[\\d-\\w]a[\\w", "(?=a)", "(?P<n>a)", "a*+", "(((a{9}){9}){9}){9}",
     "(" * 30 + ")" * 30, "x" * (MAX_PATTERN + 1), "(?#x)", "a(?i)b", "{2}"],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """Look-around, back references and whatever cannot be bounded among it."""
    with pytest.raises(PatternError):
        compiled(pattern)
    assert MAX_NESTING < 30


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("^(a+)+$", "a" * 50_000 + "!"),
        ("(\\s*)*\\s*\\s*=", " " * 50_000),
        ("(a|aa|a?)*b", "a" * 50_000),
        (".*.*.*.*.*x", "y" * 50_000),
    ],
)
def test_no_line_keeps_a_pattern_busy(pattern: str, line: str) -> None:
    """A backtracking matcher would need longer than the test may take, for each of them."""
    assert not compiled(pattern).found_in(line)


@pytest.mark.hostile
def test_what_is_remembered_is_bounded() -> None:
    """A text with ever new characters does not fill the memory."""
    pattern = compiled("(a|b)*c")
    assert not pattern.found_in("".join(map(chr, range(0x4E00, 0x4E00 + 2 * MAX_MEMORY))))
    assert len(pattern._known) <= MAX_MEMORY
