"""The order of Debian versions, and constraints."""

from __future__ import annotations

import itertools

import pytest

from state_engine.resources.parts.debian_versions import (
    MAX_VERSION,
    Term,
    compare,
    is_version,
    latest,
    parse_constraint,
    satisfies,
)

# Each is earlier than the next; the first six are the example of the Policy manual.
RISING = (
    *("0~~", "0~~a", "0~", "0", "0a", "0+"),
    *("1.2-1~bpo", "1.2-1", "1.2-1+b1", "1.2-2", "1.10", "1.10.1", "1:0.1", "1:0.1-1", "10:0"),
)


def test_versions_rise_as_the_policy_says() -> None:
    for (i, left), (j, right) in itertools.product(enumerate(RISING), repeat=2):
        assert compare(left, right) == (i > j) - (i < j), (left, right)


@pytest.mark.parametrize(
    ("left", "right"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0"), ("1-01", "1-1")]
)
def test_different_spellings_of_a_version_are_the_same(left: str, right: str) -> None:
    assert compare(left, right) == 0


def test_numbers_of_any_length_are_compared() -> None:
    """A version of ten thousand digits costs no conversion and no error."""
    assert compare("1" * 10_000, "1" * 9_999) == 1


@pytest.mark.parametrize("text", ["1", "1:2.3-4", "2.36-9+deb12u14", "1.0~rc1", "1:1:1-1-1"])
def test_what_a_version_is(text: str) -> None:
    assert is_version(text)


@pytest.mark.parametrize(
    "text", ["", "a", "x1", "1 2", "1/2", "1_2", "-1", "1" * (MAX_VERSION + 1)]
)
def test_what_a_version_is_not(text: str) -> None:
    assert not is_version(text)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        (">= 1.2", (Term(">=", "1.2"),)),
        (">=1.2,<<2", (Term(">=", "1.2"), Term("<<", "2"))),
        ("> 1, < 2", (Term(">>", "1"), Term("<<", "2"))),
        ("= 1.2-1", (Term("=", "1.2-1"),)),
        ("1.2", None),
        ("=> 1", None),
        (">= x", None),
        (">= 1,", None),
    ],
)
def test_constraints_are_relations_separated_by_commas(
    text: str, terms: tuple[Term, ...] | None
) -> None:
    """`<` and `>` mean what they say, not what they once meant in control files."""
    assert parse_constraint(text) == terms


def test_every_term_has_to_hold() -> None:
    terms = (Term(">=", "1.2"), Term("<<", "2"))
    found = [
        version for version in ("1.1", "1.2", "1.10", "2~rc1", "2") if satisfies(version, terms)
    ]
    assert found == ["1.2", "1.10", "2~rc1"]


def test_the_latest_of_none_is_none() -> None:
    assert latest([]) is None
    assert latest(["1.2", "1.10", "1.9"]) == "1.10"
