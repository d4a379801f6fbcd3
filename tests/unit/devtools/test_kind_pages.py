"""The pages of the resource kinds, and what every one of them must say."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from devtools.kind_pages import described, pages
from state_engine.resources.registry import KINDS


class Inner(msgspec.Struct):
    name: str
    size: int = 0


class Fields(msgspec.Struct):
    text: Annotated[str, Meta(description="What it says.")]
    either: str | int | None = None
    words: tuple[str, ...] = ()
    table: dict[str, bool] = {}
    choice: Literal["a", "b"] = "a"
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("text", ("text", "What it says.")),
        ("either", ("text or integer", "")),
        ("words", ("list of text", "")),
        ("table", ("map of boolean", "")),
        ("choice", ("`a`, `b`", "")),
        ("inner", ("map with `name`, `size`", "")),
    ],
)
def test_types_are_told_in_words(field: str, shown: tuple[str, str]) -> None:
    """A reader knows no Python."""
    info = msgspec.inspect.type_info(Fields)
    assert isinstance(info, msgspec.inspect.StructType)
    found = {each.name: described(each.type) for each in info.fields}[field]
    words, note = found
    assert (sorted(words.split(" or ")), note) == (sorted(shown[0].split(" or ")), shown[1])


def test_the_index_leads_to_every_page() -> None:
    """Each kind has a page, and the index knows its way there."""
    made = pages("")
    assert {name for name in made if name != "kinds.md"} == {f"kinds/{kind}.md" for kind in KINDS}
    assert all(f"(kinds/{kind}.md)" in made["kinds.md"] for kind in KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_page_says_what_removal_does_and_what_each_field_means(kind: str) -> None:
    """Nobody has to try out what becomes of his host."""
    page = pages("")[f"kinds/{kind}.md"]
    text = page.partition("| Field |")[0]
    assert re.search(r"remov|no\s+longer\s+desired", text, re.IGNORECASE), text
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if row.endswith("|  |")] == []
