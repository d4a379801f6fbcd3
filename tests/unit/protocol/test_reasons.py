"""Every reason has an explanation that helps."""

from __future__ import annotations

import pytest

from protocol.reasons import EXPLAIN, Reason


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_it_means_and_what_helps(reason: Reason) -> None:
    """No refusal leaves a person alone."""
    assert EXPLAIN[reason].meaning
    assert EXPLAIN[reason].next
    assert reason.value == reason.name.lower()
