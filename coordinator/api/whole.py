"""Hosts' reports as the published interface shows them: every field is there, also an empty one.

On the wire and on disk a report leaves out what is at its default; a client that was written for
the published shapes looks for `resources` or `triggers` without asking first.
"""

from __future__ import annotations

from typing import TypeVar, cast

import msgspec

T = TypeVar("T")


def whole(report: T) -> T:
    """Return what is encoded as this report with all its fields.

    For the framework's encoder and its API document only: it is made of dicts and lists.
    """
    return cast("T", _plain(report))


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return {shown: _plain(getattr(value, name)) for name, shown in names}
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in cast("dict[str, object]", value).items()}
    return value
