"""No character that a terminal obeys survives; the property is in `tests/property`."""

from __future__ import annotations

import pytest

from client.render.safe_text import json_safe, safe, safe_diff


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü 漢字", "plain äöü 漢字"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202e\u2066", "\\u202e\\u2066"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("[link]x[/link]", "[link]x[/link]"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_line_of_a_file_keeps_its_columns() -> None:
    assert safe_diff("+\tx\r\n") == "+   x"
    assert safe_diff("+a\rb") == "+a\\rb"
    assert json_safe('"\x7f"') == '"\\u007f"'
