"""The order of RPM versions."""

from __future__ import annotations

import pytest

from state_engine.resources.parts import rpm_versions


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1.0", "1.0", 0),
        ("2.0.1a", "2.0.1", 1),
        ("5.5p1", "5.5p10", -1),
        ("10xyz", "10.1xyz", -1),
        ("xyz.4", "8", -1),
        ("5.5p2", "5.6p1", -1),
        ("6.0.rc1", "6.0", 1),
        ("10b2", "10a1", 1),
        ("1.0aa", "1.0a", 1),
        ("10.0001", "10.1", 0),
        ("20101121", "20101122", -1),
        ("2_0", "2.0", 0),
        ("1.0~rc1", "1.0", -1),
        ("1.0~rc1~git123", "1.0~rc1", -1),
        ("1.0^", "1.0", 1),
        ("1.0^git1", "1.0.1", -1),
        ("1.0^20160101", "1.0.1", -1),
        ("1.0~rc1^git1", "1.0~rc1", 1),
        ("1.0^git1~pre", "1.0^git1", -1),
        # With epoch and release.
        ("1:1.0-1", "2.0-1", 1),
        ("0:1.0-1", "1.0-1", 0),
        ("1.0-1", "1.0-2", -1),
        ("1.0", "1.0-2", 0),
    ],
)
def test_versions_that_rpm_orders_so(left: str, right: str, order: int) -> None:
    """Both ways round."""
    assert rpm_versions.compare(left, right) == order
    assert rpm_versions.compare(right, left) == -order


@pytest.mark.parametrize("text", ["", "-1", "1 2", "1;2", "--x", "1-2-3", "x" * 300, "1\n"])
def test_what_is_no_version(text: str) -> None:
    """Nothing that could be an option, two arguments, or endless."""
    assert not rpm_versions.is_version(text)
