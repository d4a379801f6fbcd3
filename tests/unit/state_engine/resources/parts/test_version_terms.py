"""Constraints on versions."""

from __future__ import annotations

from state_engine.resources.parts import rpm_versions
from state_engine.resources.parts.version_terms import Term, latest, parse, satisfies


def test_terms_are_read_and_hold() -> None:
    """All of them have to."""
    terms = parse(">= 1.2, <2", rpm_versions.is_version)
    assert terms == (Term(">=", "1.2"), Term("<", "2"))
    assert terms is not None
    held = [version for version in ("1", "1.2", "1.10", "2") if holds(version, terms)]
    assert held == ["1.2", "1.10"]
    assert latest(held, rpm_versions.compare) == "1.10"
    assert latest([], rpm_versions.compare) is None


def holds(version: str, terms: tuple[Term, ...]) -> bool:
    return satisfies(version, terms, rpm_versions.compare)


def test_what_is_no_constraint() -> None:
    """A version, a relation of two, nothing."""
    assert [parse(text, rpm_versions.is_version) for text in ("1", ">= ", "", ">= 1,")] == [
        None
    ] * 4
