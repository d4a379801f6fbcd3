"""When two versions of a Python package are the same."""

from __future__ import annotations

import pytest

from state_engine.resources.parts.python_versions import (
    MAX_VERSION,
    canonical,
    is_what_was_asked,
    normal_name,
)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.0", "1"),
        ("v1.02", "1.2"),
        ("0!1", "1"),
        ("2!1.0", "2!1"),
        ("1.0alpha1", "1a1"),
        ("1.0-b.02", "1b2"),
        ("1c", "1rc0"),
        ("1-3", "1.post3"),
        ("1.post", "1.post0"),
        ("1.DEV", "1.dev0"),
        ("1+Ubuntu-01", "1+ubuntu.1"),
        ("1a1.post2.dev3+x", "1a1.post2.dev3+x"),
        ("0", "0"),
        ("", None),
        ("1.x", None),
        ("1 2", None),
        ("1" * (MAX_VERSION + 1), None),
    ],
)
def test_a_version_has_one_spelling(version: str, expected: str | None) -> None:
    assert canonical(version) == expected


@pytest.mark.parametrize(
    ("version", "wanted", "same"),
    [
        ("1.0", "1", True),
        ("1.0+local", "1.0", True),
        ("1.0", "1.0+local", False),
        ("1.0+local", "1.0+LOCAL", True),
        ("1.0.post1", "1.0", False),
        ("odd", "odd", True),
        ("odd", "1", False),
    ],
)
def test_a_local_part_counts_only_if_it_was_asked_for(
    version: str, wanted: str, same: bool
) -> None:
    assert is_what_was_asked(version, wanted) == same


def test_names_differ_in_spelling_only() -> None:
    assert {normal_name(name) for name in ("A.b_c", "a-b-c", "A--B._C")} == {"a-b-c"}
