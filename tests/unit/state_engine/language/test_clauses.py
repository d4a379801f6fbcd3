"""Clauses: matching a node, and what follows from their terms."""

from __future__ import annotations

import pytest

from state_engine.language import clauses
from state_engine.model import Clause, NodeFacts

NODE = NodeFacts(
    "id", "n1", {"platform": "linux", "distro": "debian", "version": "13"}, {"env": "prod"}
)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, True),
        ({"platform": "linux"}, True),
        ({"platform": "linux", "distro": "debian", "tag.env": "prod"}, True),
        ({"platform": "linux", "distro": "fedora"}, False),
        ({"arch": "x86_64"}, False),
        ({"tag.env": "test"}, False),
        ({"tag.role": "web"}, False),
    ],
)
def test_a_clause_matches_when_every_term_equals(terms: dict[str, str], expected: bool) -> None:
    assert clauses.matches(Clause(tuple(terms.items())), NODE) is expected


@pytest.mark.parametrize(
    ("terms", "platforms"),
    [
        ({}, ["linux", "windows", "macos"]),
        ({"distro": "debian"}, ["linux"]),
        ({"init_system": "scm"}, ["windows"]),
        ({"platform": "macos"}, ["macos"]),
        ({"platform": "macos", "init_system": "systemd"}, []),
        ({"platform": "windows", "distro": "debian"}, []),
        ({"arch": "aarch64"}, ["linux", "windows", "macos"]),
    ],
)
def test_a_clause_splits_into_the_platforms_that_it_allows(
    terms: dict[str, str], platforms: list[str]
) -> None:
    cases = clauses.cases(Clause(tuple(terms.items())))
    assert [case["platform"] for case in cases] == platforms


def test_terms_that_contradict_each_other_join_to_nothing() -> None:
    assert clauses.joined((("arch", "x86_64"),), (("arch", "armv7"),)) is None
    assert clauses.joined((("platform", "macos"),)) == {
        "platform": "macos",
        "init_system": "launchd",
    }


def test_a_clause_is_shown_as_it_is_written() -> None:
    assert (
        clauses.show(Clause((("distro", "debian"), ("tag.a", "b")))) == "{distro: debian, tag.a: b}"
    )
