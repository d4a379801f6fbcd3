"""The order of Alpine versions."""

from __future__ import annotations

import pytest

from state_engine.resources.parts import alpine_versions


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("2.34", "0.1.0_alpha", 1),
        ("0.1.0_alpha", "0.1.0_alpha", 0),
        ("0.1.0_alpha", "0.1.3_alpha", -1),
        ("0.1.0_alpha", "0.1.0", -1),
        ("0.1.0_beta", "0.1.0_alpha", 1),
        ("1.0_rc1", "1.0", -1),
        ("1.0_p1", "1.0", 1),
        ("1.0_p1", "1.0_p10", -1),
        ("1.0a", "1.0", 1),
        ("1.0a", "1.0b", -1),
        ("1.2", "1.10", -1),
        ("1.2", "1.2.0", -1),
        ("1.09", "1.1", -1),
        ("1.0-r1", "1.0-r10", -1),
        ("1.0-r0", "1.0", 0),
        ("6.5_p20250503-r0", "6.5-r9", 1),
        ("not a version", "0", -1),
    ],
)
def test_versions_that_apk_orders_so(left: str, right: str, order: int) -> None:
    """Both ways round."""
    assert alpine_versions.compare(left, right) == order
    assert alpine_versions.compare(right, left) == -order


@pytest.mark.parametrize("text", ["", "-1", "1 2", "1=2", "a1", "1.", "1_x", "1-1", "1\n"])
def test_what_is_no_version(text: str) -> None:
    """Nothing that could be an option, a relation, or two arguments."""
    assert not alpine_versions.is_version(text)
