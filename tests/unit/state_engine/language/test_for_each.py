"""The items of a `for_each`."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.language.for_each import MAX_ITEMS, instance_id, items, parameter_of
from state_engine.language.problems import Findings
from state_engine.model import Each


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", 1, True], [Each("a", "a"), Each("1", 1), Each("true", True)]),
        ({"a": {"port": 1}, "b": None}, [Each("a", {"port": 1}), Each("b", None)]),
        ([], []),
        ({}, []),
        ([str(number) for number in range(MAX_ITEMS)], MAX_ITEMS),
    ],
)
def test_a_list_is_its_own_keys_and_a_map_has_them(value: Json, expected: list[Each] | int) -> None:
    findings = Findings("f")
    found = items(value, "id", "/x", findings)
    assert found is not None
    assert len(findings) == 0
    assert (found if isinstance(expected, list) else len(found)) == expected


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("a", "not `a`"),
        (None, "not nothing"),
        (["1", 1], "`1` of `for_each` stands twice"),
        ([None], "not nothing"),
        ([["a"]], "not a list"),
        ([""], "is empty"),
        ({"a\nb": 1}, "line break"),
        ({"${{ tags.x }}": 1}, "cannot hold"),
        (["x" * 255], "is longer"),
        ([str(number) for number in range(MAX_ITEMS + 1)], "at most 1000"),
    ],
)
def test_what_names_no_items_is_refused(value: Json, says: str) -> None:
    findings = Findings("f")
    assert items(value, "id", "/x", findings) is None
    assert [problem.code for problem in findings.sorted()] == ["for-each"]
    assert says in findings.sorted()[0].message


def test_an_expression_counts_only_if_it_is_the_whole_of_it() -> None:
    assert str(parameter_of("${{params.a.b}}")) == "params.a.b"
    for text in ("", "a", " ${{ params.a }}", "${{ tags.a }}", "${{ params.a }}${{ params.b }}"):
        assert parameter_of(text) is None


def test_the_id_of_an_item_shows_its_key() -> None:
    assert instance_id("web", "a") == "web[a]"
