"""Outcomes of the store that can only be one thing; anything else is a bug of ours."""

from __future__ import annotations

from coordinator.store.records import Record


def sure(outcome: object, what: str) -> Record:
    """Return the record that a change within its own transaction must have given.

    Raises:
        AssertionError: it gave something else; `what` names the object.
    """
    if isinstance(outcome, Record):
        return outcome
    raise AssertionError(f"{what}: {outcome}")
