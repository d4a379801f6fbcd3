"""The refusal as a value: what every domain function returns when it will not do what was asked.

No HTTP number stands here: `coordinator/api/problems.py` maps each kind to one.
"""

from __future__ import annotations

from typing import Literal

import msgspec

RefusalKind = Literal[
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "validation_failed",
    "too_many_requests",
    "unavailable",
]


class Refusal(msgspec.Struct, frozen=True):
    """Why something was not done, fit for the person who asked.

    `details` maps a field to what is wrong with it and what would be right. `code` replaces the
    public code of the kind where a more exact one exists (a `Reason` value).
    """

    kind: RefusalKind
    message: str
    details: dict[str, tuple[str, ...]] | None = None
    code: str | None = None


def not_found(what: str, name: str) -> Refusal:
    """Return the refusal for an object that is not there."""
    return Refusal("not_found", f"there is no {what} {name[:128]!r}")


def invalid(field: str, message: str, kind: RefusalKind = "bad_request") -> Refusal:
    """Return the refusal for one field of a request that breaks its rule."""
    return Refusal(kind, message, {field: (message,)})


def stale(what: str, expected: int, actual: int) -> Refusal:
    """Return the refusal for a change to an object that somebody changed in between."""
    message = f"{what} is at version {actual}, not {expected}: read it again, then change it"
    return Refusal("conflict", message, {"resource_version": (message,)})
