"""The tables of phases, over all pairs: never back, never out of the end."""

from __future__ import annotations

import itertools

import pytest

from protocol.run_table import (
    RUN_CHANGES,
    RUN_FINAL,
    RUN_PHASES,
    RUN_TABLE,
    STEP_CHANGES,
    STEP_FINAL,
    STEP_PHASES,
    STEP_TABLE,
)

STEP_RANK = {"pending": 0, "offered": 1, "accepted": 2, "running": 3}
RUN_RANK = {"planning": 0, "waiting_approval": 1, "queued": 2, "running": 3}


@pytest.mark.parametrize(("phase", "change"), list(itertools.product(STEP_PHASES, STEP_CHANGES)))
def test_no_step_goes_back_or_leaves_its_end(phase: str, change: str) -> None:
    """Every pair leads on, stays, or is not in the table."""
    after = STEP_TABLE.get((phase, change))  # type: ignore[call-overload]  # from the types' own lists
    if phase in STEP_FINAL:
        assert after is None
    elif after is not None:
        assert STEP_RANK.get(after, 9) >= STEP_RANK[phase]


@pytest.mark.parametrize(("phase", "change"), list(itertools.product(RUN_PHASES, RUN_CHANGES)))
def test_no_run_goes_back_or_leaves_its_end(phase: str, change: str) -> None:
    """Every pair leads on, stays, or is not in the table."""
    after = RUN_TABLE.get((phase, change))  # type: ignore[call-overload]  # from the types' own lists
    if phase in RUN_FINAL:
        assert after is None
    elif after is not None:
        assert RUN_RANK.get(after, 9) >= RUN_RANK[phase]


def test_every_phase_and_every_change_is_used() -> None:
    """Nothing stands in the types that the tables do not know."""
    assert set(STEP_TABLE.values()) | {"pending"} == set(STEP_PHASES)
    assert {change for _, change in STEP_TABLE} == set(STEP_CHANGES)
    assert set(RUN_TABLE.values()) | {"planning"} == set(RUN_PHASES)
    assert {change for _, change in RUN_TABLE} == set(RUN_CHANGES)
