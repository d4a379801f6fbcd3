"""The coordinator's version."""

from __future__ import annotations

from coordinator.version import VERSION


def test_it_is_a_version_number() -> None:
    assert VERSION.split(".")[0].isdigit()
