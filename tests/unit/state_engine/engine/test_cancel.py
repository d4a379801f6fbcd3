"""Stopping an engine call."""

from __future__ import annotations

import pytest

from state_engine.engine import cancel


def test_a_check_raises_only_when_asked_to() -> None:
    """Between items, and never by itself."""
    cancel.check(cancel.never)
    with pytest.raises(cancel.StoppedError):
        cancel.check(lambda: True)
