"""The version stands in two files, and they agree."""

from __future__ import annotations

import tomllib
from pathlib import Path

from protocol.version import VERSION

ROOT = Path(__file__).resolve().parents[3]


def test_the_version_is_that_of_the_package() -> None:
    """Programs that run from a checkout, with no installed metadata, say the right number too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION
