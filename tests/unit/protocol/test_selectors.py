"""Tag selectors: what matches, what is refused and where."""

from __future__ import annotations

import pytest

from protocol.errors import DecodeError
from protocol.selectors import parse

TAGS = {"env": "prod", "role": "web", "gpu": "true", "note": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", True),
        (" * ", True),
        ("env", True),
        ("db", False),
        ("!env", False),
        ("!db", True),
        ("env=prod", True),
        ("env=dev", False),
        ("gpu=true", True),
        ("note=", True),
        ("env=", False),
        ("env!=prod", False),
        ("env!=dev", True),
        ("db!=x", True),
        ("env in (dev,prod)", True),
        ("env in ( dev , prod )", True),
        ("env in(prod)", True),
        ("env in (dev)", False),
        ("db in (x)", False),
        ("env=prod role=web !db", True),
        ("env=prod role=db", False),
        ("note= env", True),
        ("in", False),
    ],
)
def test_what_matches(text: str, expected: bool) -> None:
    """Every clause must hold; a host without the tag differs from every value."""
    assert parse(text).matches(TAGS) is expected


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("*x", 2),
        ("* env", 3),
        ("env *", 5),
        ("env = prod", 5),
        ("env != prod", 5),
        ("env==prod", 5),
        ("=prod", 1),
        ("!", 2),
        ("!!env", 2),
        ("env in ()", 9),
        ("env in (a", 10),
        ("env in (a,)", 11),
        ("env in (a b)", 11),
        ("env;role", 4),
        ("env,role", 4),
        ("env='prod'", 5),
        ("-env", 1),
        ("env.", 1),
        ("e\u0301nv", 2),
        ("env=prod\nrole=web", 9),
    ],
)
def test_what_is_refused_and_where(text: str, position: int) -> None:
    """The message names the position, from 1."""
    with pytest.raises(DecodeError, match=f"position {position}:"):
        parse(text)


@pytest.mark.parametrize("text", ["", "  ", "x" * 5_000, "a " * 65, "k=" + "v" * 129])
def test_empty_and_endless_selectors_are_refused(text: str) -> None:
    """Nothing is not everything; and there are limits."""
    with pytest.raises(DecodeError):
        parse(text)
