"""The version of the coordinator, as its package says it."""

from __future__ import annotations

from importlib import metadata


def _installed() -> str:
    try:
        return metadata.version("standfast")
    except metadata.PackageNotFoundError:
        return "0.0.0+source"


VERSION = _installed()
