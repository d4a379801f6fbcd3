"""How an engine call is stopped: it asks a function between items, and raises `StoppedError`."""

from __future__ import annotations

from collections.abc import Callable

from protocol.errors import StandfastError

CancelCheck = Callable[[], bool]


class StoppedError(StandfastError):
    """A plan or drift look was stopped before its end; nothing was changed."""


def never() -> bool:
    """Return False: this call is not cancelled."""
    return False


def check(cancelled: CancelCheck) -> None:
    """Return if the call may go on.

    Raises:
        StoppedError: it may not.
    """
    if cancelled():
        raise StoppedError("cancelled")
