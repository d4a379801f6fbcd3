"""Problems: places, caps and the nearest right word."""

from __future__ import annotations

import pytest

from state_engine.language.problems import (
    MAX_PROBLEMS,
    Findings,
    has_errors,
    nearest,
    pointer,
    quote,
)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("depend_on", "depends_on"),
        ("Name", "name"),
        ("resorce", "resource"),
        ("zzz", None),
        ("name" * 100, None),
    ],
)
def test_the_nearest_right_word_is_found(word: str, near: str | None) -> None:
    assert nearest(word, ["name", "depends_on", "resource"]) == near


def test_a_problem_without_a_place_stands_at_the_nearest_thing_around_it() -> None:
    findings = Findings("f", {"/a": (2, 3), "/a/b~1c": (4, 5)})
    findings.add(pointer("a", "b/c", 7), "x", "inner")
    findings.add("/a/zz", "x", "outer")
    findings.add("/q", "x", "none")
    assert [(p.line, p.column, p.message) for p in findings.sorted()] == [
        (1, 1, "none"),
        (2, 3, "outer"),
        (4, 5, "inner"),
    ]


def test_problems_are_capped_and_the_cap_is_said() -> None:
    findings = Findings("f")
    for number in range(MAX_PROBLEMS + 5):
        findings.add((number + 1, 1), "x", "again", severity="warning")
    shown = findings.sorted()
    assert len(shown) == MAX_PROBLEMS + 1
    assert shown[-1].code == "too-many-problems"
    assert has_errors(shown)


def test_a_quote_is_one_short_printable_line() -> None:
    assert quote("a\nb\x1b[31m") == "`a?b?[31m`"
    assert len(quote("x" * 10_000)) < 70
