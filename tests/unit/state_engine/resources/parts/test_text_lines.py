"""Text files as lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state_engine.resources.parts.text_lines import (
    Line,
    check_block,
    check_line,
    digest,
    ending,
    insert,
    join,
    split,
)


@given(st.binary(max_size=60) | st.text("a\r\n \x0b\u2028", max_size=20).map(str.encode))
def test_what_is_split_joins_to_the_same_bytes(content: bytes) -> None:
    """Whatever the endings, and whether it is UTF-8 or not."""
    assert join(split(content)) == content


def test_only_line_feeds_end_lines() -> None:
    """A carriage return before one belongs to the ending; other separators are text."""
    assert split("a\r\nb\u2028c\n\rd".encode()) == [
        Line("a", "\r\n"),
        Line("b\u2028c", "\n"),
        Line("\rd", ""),
    ]
    assert split(b"") == []


@pytest.mark.parametrize(
    ("content", "index", "expected"),
    [
        (b"", 0, b"x\n"),
        (b"a", 1, b"a\nx\n"),
        (b"a\r\nb", 2, b"a\r\nb\r\nx\r\n"),
        (b"a\nb", 1, b"a\nx\nb"),
        (b"a\nb", 0, b"x\na\nb"),
    ],
)
def test_a_new_line_ends_as_the_first_one_does(content: bytes, index: int, expected: bytes) -> None:
    """And an unfinished line before it is ended."""
    assert join(insert(split(content), index, ["x"])) == expected
    assert join(insert(split(content), index, [])) == content


def test_the_ending_of_an_empty_file_is_a_line_feed() -> None:
    """There is no line to follow."""
    assert (ending([]), ending([Line("a", "")]), ending([Line("a", "\r\n")])) == (
        "\n",
        "\n",
        "\r\n",
    )


def test_text_that_is_no_unicode_has_a_digest() -> None:
    """Two such texts are told apart."""
    assert digest("\udcff") != digest("\udcfe")


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r", "a\0", "\x1b[1m", "\x7f", "\x85", "\ud800", "ab" * 6]
)
def test_a_line_that_is_none_is_refused(text: str) -> None:
    """Line breaks, control characters, and what is too long."""
    assert [problem.field for problem in check_line("line", text, 10)] == ["line"]


@pytest.mark.parametrize("text", ["", "a\tb", "ü …", "-x"])
def test_other_lines_pass(text: str) -> None:
    """A tab is text."""
    assert check_line("line", text, 10) == []


def test_a_block_may_hold_line_feeds_only() -> None:
    """The file's own endings are put in place of them."""
    assert check_block("block", "a\n\tb\n", 100) == []
    assert [problem.field for problem in check_block("block", "a\r\nb", 100)] == ["block"]
    assert [problem.field for problem in check_block("block", "a\nb", 2)] == ["block"]
