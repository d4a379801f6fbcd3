"""The kind package-apk: its names. The rest is tested in parts/test_versioned_package.py."""

from __future__ import annotations

import pytest

from protocol.canonical import Json
from state_engine.resources.package_apk import PackageApk

KIND = PackageApk()


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"name": "-y"}, "name"),
        ({"name": "@group"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a*"}, "name"),
        ({"name": "a=1"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": "a", "version": "--best"}, "version"),
        ({"name": "a", "version": ">= "}, "version"),
        ({"name": "a", "version": "1", "ensure": "absent"}, "version"),
    ],
)
def test_what_the_tool_would_read_otherwise_is_refused(spec: dict[str, Json], field: str) -> None:
    """Options, groups, patterns and relations are no names."""
    assert [problem.field for problem in KIND.validate(spec)] == [field]


def test_ordinary_wishes_are_accepted() -> None:
    """And the name is the identity."""
    for version in ("present", "latest", "1.2", ">= 1.2, < 2"):
        assert KIND.validate({"name": "lib-a.b+c_1", "version": version}) == []
    assert KIND.identity({"name": "a"}, "x") == "a"
