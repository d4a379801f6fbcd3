"""Specs against the fields of their kind."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest

from protocol.canonical import Json
from state_engine.language.fields import check_fields, coerce, fields_of
from state_engine.language.problems import Findings
from state_engine.resources.file_unix import FileUnix


class EverySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of every type that a spec may use."""

    text: str
    flag: bool | None = None
    number: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = None
    word: Literal["one", "two"] | None = None
    texts: list[str] | None = None
    table: dict[str, str] | None = None


class Every(FileUnix):
    """A kind with these fields."""

    name = "every"
    spec_type = EverySpec


def check(spec: dict[str, Json]) -> tuple[bool, list[str]]:
    """Return whether a spec converts, and what is said about it."""
    findings = Findings("f")
    sound = check_fields(Every(), spec, "", findings)
    return sound, [f"{problem.message} ({problem.hint})" for problem in findings.sorted()]


@pytest.mark.parametrize(
    ("field", "good", "bad", "says"),
    [
        ("text", "x", 1, "`text` must be text, not the number `1` (write it in quotes)"),
        ("text", "", None, "`text` must be text, not nothing (None)"),
        ("flag", False, "no", "`flag` must be true or false, not `no` (write false)"),
        ("number", 9, 10, "a whole number from 1 to 9, not the number `10`"),
        ("number", 1, "1", "(write `1` without quotes)"),
        ("number", None, True, "not `true`"),
        ("word", "one", "on", "must be one of one, two, not `on` (did you mean `one`?)"),
        ("texts", ["a"], "a", "must be a list, each entry text, not `a` (write [a])"),
        ("texts", [], ["a", 1], "an entry of `texts` must be text, not the number `1`"),
        ("table", {"a": "b"}, {"a": 1}, "an entry of `table` must be text, not the number"),
        ("table", {}, [], "a mapping, each value text, not a list"),
    ],
)
def test_every_type_takes_its_values_and_says_what_it_takes(
    field: str, good: Json, bad: Json, says: str
) -> None:
    base: dict[str, Json] = {"text": "x"}
    assert check(base | {field: good}) == (True, [])
    sound, (message,) = check(base | {field: bad})
    assert not sound
    assert says in message


@pytest.mark.parametrize("field", ["flag", "number", "word"])
def test_an_expression_fits_every_single_value_but_does_not_convert_yet(field: str) -> None:
    assert check({"text": "x", field: "${{ tags.x }}"}) == (False, [])


def test_unknown_and_missing_fields_are_both_reported() -> None:
    sound, messages = check({"txt": "x"})
    assert not sound
    assert messages == [
        "`every` has no field `txt` (did you mean `text`?)",
        "`every` needs the field `text` (None)",
    ]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("flag", "true", True),
        ("flag", "yes", "yes"),
        ("number", "7", 7),
        ("number", "-7", "-7"),
        ("number", "٣", "٣"),
        ("number", "9" * 5000, "9" * 5000),
        ("text", "7", "7"),
        ("texts", "7", "7"),
    ],
)
def test_a_resolved_text_becomes_what_its_field_takes(field: str, text: str, value: Json) -> None:
    assert coerce(text, fields_of(EverySpec)[field].type) == value
