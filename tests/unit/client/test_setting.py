"""Setting a secret: what follows what."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from client.failures import BadUsageError
from client.setting import Wanted, parse_end, parse_restriction
from protocol import ids
from protocol.secrets import Restriction

NODE = ids.node_id(b"n" * 32)


def test_what_is_not_said_stays() -> None:
    """Absent options are not empty ones."""
    assert parse_restriction(None, None) is UNSET
    assert parse_restriction("role=db", None) == Restriction("role=db")
    assert parse_restriction(None, f" {NODE},{NODE} ") == Restriction("", (NODE,))
    assert parse_restriction("", "") == Restriction()


@pytest.mark.parametrize(("tags", "nodes"), [("a in (", None), (None, "web-1")])
def test_a_restriction_that_cannot_be_read_is_refused(tags: str | None, nodes: str | None) -> None:
    """A name is no id: what is signed has to mean one host."""
    with pytest.raises(BadUsageError, match="cannot be read"):
        parse_restriction(tags, nodes)


@pytest.mark.parametrize(
    ("text", "clear", "expected"),
    [
        (None, False, UNSET),
        (None, True, None),
        ("1970-01-01", False, 86_399),
        ("1970-01-01T00:01:00Z", False, 60),
        ("1970-01-01T00:01:00+01:00", False, -3_540),
    ],
)
def test_an_end_is_a_day_or_a_moment(text: str | None, clear: bool, expected: object) -> None:
    """A day ends with itself, in UTC."""
    assert parse_end(text, clear=clear) == expected


@pytest.mark.parametrize(("text", "clear"), [("tomorrow", False), ("2027-01-01", True)])
def test_an_end_that_makes_no_sense_is_refused(text: str, clear: bool) -> None:
    """With what would be right."""
    with pytest.raises(BadUsageError):
        parse_end(text, clear=clear)


def test_what_is_wanted_never_shows_the_value() -> None:
    """It may stand in a traceback."""
    assert "hunter22" not in repr(Wanted("db", "hunter22"))
