"""Places are found again from the text, and only when somebody asks."""

from __future__ import annotations

from state_engine.language.places import Places
from state_engine.language.problems import Findings


def test_a_pointer_leads_to_its_line_and_column() -> None:
    """What is not there is not there; the nearest around it is the finder's to look for."""
    places = Places("name: web\nlist:\n  - one\n  - two: 2\n")
    assert places["/list/1/two"] == (4, 10)
    assert dict(places) == {
        "": (1, 1),
        "/name": (1, 7),
        "/list": (2, 1),
        "/list/0": (3, 5),
        "/list/1": (4, 5),
        "/list/1/two": (4, 10),
    }
    assert "/list/2" not in places
    assert Findings("f", places).locate("/list/1/two/more") == (4, 10)


def test_a_text_that_cannot_be_read_has_no_places() -> None:
    """That it cannot was said by whoever read it first."""
    assert not Places("a: [")
    assert Findings("f", Places("a: [")).locate("/a") == (1, 1)
