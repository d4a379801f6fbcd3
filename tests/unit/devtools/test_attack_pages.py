"""The page of attacks says what the hostile tests say, with the codes that they name."""

from __future__ import annotations

import ast

from devtools import attack_pages
from devtools.attack_pages import Row

TEXT = '''
"""A title."""
ATTACKS: dict[str, tuple[object, str]] = {
    "a forged thing": (lambda a: a, "signature_invalid"),
    "two codes": (lambda a: a, Reason.EXPIRED, "no code"),
}
OTHER: dict[str, int] = {"not an attack": 1}
def test_it_holds() -> None:
    """Nothing happens.

    And more.
    """
    assert x == Reason.REPLAYED or Reason.REPLAYED or Reason.NO_SUCH
def helper() -> None:
    """Not a test."""
'''


def test_rows_come_from_tables_and_tests() -> None:
    """Names, first paragraphs, and codes that exist."""
    assert list(attack_pages.rows(ast.parse(TEXT))) == [
        Row("a forged thing", ("signature_invalid",), "ATTACKS"),
        Row("two codes", ("expired",), "ATTACKS"),
        Row("**it holds**: Nothing happens.", ("replayed",), "test_it_holds"),
    ]


def test_the_page_holds_every_file_and_every_line_is_a_row() -> None:
    """A bar in a text does not break the table."""
    page = attack_pages.page("<!-- note -->\n")
    for path in attack_pages.FOLDER.glob("test_*.py"):
        assert f"tests/hostile/{path.name}" in page
    assert "`roster_behind`" in page
    assert attack_pages.line(Row("a|b", (), "t")) == "| a\\|b |  |"
