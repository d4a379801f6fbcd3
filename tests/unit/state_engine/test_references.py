"""References: what stands in the place of a secret, and the way back."""

from __future__ import annotations

from itertools import starmap

from protocol.canonical import Json
from state_engine.references import (
    Reference,
    SecretValue,
    fingerprinted,
    parts_of,
    references_in,
    replaced,
    shown,
)

ONE = Reference("db.password", 3, "ab" * 32)
TWO = Reference("token", 1, "cd" * 32)


def test_a_reference_is_found_wherever_it_stands_and_replaced() -> None:
    """In lists, mappings and in the middle of a text; all else stays as it is."""
    value: Json = {"a": [f"x {ONE} y {TWO}", 1, None], "b": {"c": str(ONE)}, "d": "plain"}
    assert list(references_in(value)) == [ONE, TWO, ONE]
    assert replaced(value, lambda reference: reference.name.upper()) == {
        "a": ["x DB.PASSWORD y TOKEN", 1, None],
        "b": {"c": "DB.PASSWORD"},
        "d": "plain",
    }


def test_people_see_name_and_version() -> None:
    """Not the fingerprint, which would let a module forge a reference."""
    assert shown(f"pw={ONE}") == "pw=(secret db.password v3)"
    assert parts_of(f"pw={ONE};") == ["pw=", ONE, ";"]


def test_what_a_value_holds_is_not_read_as_a_reference() -> None:
    """One pass: a secret whose value looks like a reference stays that text."""
    assert replaced(str(ONE), lambda _: str(TWO)) == str(TWO)


def test_the_fingerprint_covers_name_version_and_value() -> None:
    """Each of them makes another one, and none can borrow from its neighbour."""
    named = (("a", 1, "bcde"), ("a", 11, "bcde"), ("a1", 1, "bcde"), ("a", 1, "bcdef"))
    made = set(starmap(fingerprinted, named))
    assert len(made) == 4
    assert "hunter22" not in repr(SecretValue(ONE, "hunter22"))
