"""The YAML reader: the safe subset, places, and limits that a hostile file meets."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.language.problems import Findings
from state_engine.language.yaml_tree import MAX_DEPTH, parse, plain, walk


def read(text: str) -> tuple[Json, list[str]]:
    """Return the JSON value of a text and the codes of its problems."""
    findings = Findings("f")
    node = parse(text, findings)
    value = None if node is None else plain(node, findings)
    return value, [problem.code for problem in findings.sorted()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("true", True),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("0644", "0644"),
        ("0o644", 420),
        ("0x1F", 31),
        ("12:30:00", "12:30:00"),
        ("2026-01-01", "2026-01-01"),
        ('"12"', "12"),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[&x {a: 1}, *x]", [{"a": 1}, {"a": 1}]),
        ("'😀'", "😀"),
    ],
)
def test_values_follow_the_core_schema_and_leading_zeros_stay_text(text: str, value: Json) -> None:
    assert read(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: 1.5", "number"),
        ("a: .inf", "number"),
        ("a: 1e5", "number"),
        ("a: 99999999999999999999", "number"),
        (f"a: {'9' * 5000}", "number"),
        ("a: 1\na: 2", "duplicate-key"),
        ("1: a", "key-type"),
        ("true: a", "key-type"),
        ("[a]: b", "key-type"),
        ("a: !!python/object:os.system x", "tag"),
        ("a: !x {}", "tag"),
        ("a: *b", "alias"),
        ("a: &x [*x]", "alias"),
        ("--- a\n--- b", "second-document"),
        ("[" * (MAX_DEPTH + 1), "too-deep"),
        ("[" * 100_000, "too-deep"),
        ("a: \x00", "yaml-syntax"),
        ("\ud800", "yaml-syntax"),
        ('"\\ud800"', "yaml-syntax"),
        ('"\\Uffffffff"', "yaml-syntax"),
        ("a: b: c", "yaml-syntax"),
        ("%YAML 9.9\n---\na", "yaml-syntax"),
    ],
)
def test_what_is_outside_the_safe_subset_is_refused(text: str, code: str) -> None:
    assert read(text)[1] == [code]


def test_an_alias_bomb_is_refused_before_it_expands() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert read("\n".join(rows))[1] == ["too-many-values"]


def test_aliases_count_towards_the_depth() -> None:
    rows = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH)]
    assert read("\n".join(rows))[1] == ["too-deep"]


def test_a_key_that_was_refused_takes_its_value_with_it() -> None:
    assert read("a: 1\na: {b: 2}\nc: 3") == ({"a": 1, "c": 3}, ["duplicate-key"])


def test_places_count_lines_and_columns_from_one_and_in_characters() -> None:
    node = parse("é: x\nb:\n  - {ü: 1, c: 2}", Findings("f"))
    assert node is not None
    assert dict(walk(node)) == {
        "": (1, 1),
        "/é": (1, 4),
        "/b": (2, 1),
        "/b/0": (3, 5),
        "/b/0/ü": (3, 9),
        "/b/0/c": (3, 15),
    }


def test_a_huge_key_does_not_multiply_into_the_pointers_below_it() -> None:
    node = parse(f"{'k' * 900}: [a, b]", Findings("f"))
    assert node is not None
    assert [len(path) for path, _ in walk(node)] == [0]
