"""The published states of an execution: every pair of stage and change."""

from __future__ import annotations

import itertools

import pytest

from protocol import executions
from protocol.executions import CHANGES, EXECUTION_TABLE, MOVING, SETTLED, STAGES, STATUSES

RESULTS = {
    "finish": "completed",
    "finish_cancelled": "cancelled",
    "finish_expired": "expired",
}


@pytest.mark.parametrize(("stage", "change"), list(itertools.product(STAGES, CHANGES)))
def test_every_pair_is_as_published(
    stage: executions.Stage, change: executions.ExecutionChange
) -> None:
    """A result is taken as long as there is none; the rest moves what is not over."""
    after = executions.follow(stage, change)
    if stage in SETTLED:
        assert after == stage
    elif change in RESULTS:
        assert after == RESULTS[change]
    elif stage in MOVING:
        wanted = {
            "send": "sent",
            "withdraw": "cancelled_open",
            "expire": "expired_open",
            "drop": "dropped",
        }
        assert after == wanted[change]
    else:
        assert after == stage


def test_every_stage_is_shown_as_a_published_status() -> None:
    """No name of ours gets out."""
    assert {executions.status(stage) for stage in STAGES} == set(STATUSES)
    assert set(EXECUTION_TABLE.values()) | {"pending"} == set(STAGES)
