"""What the coordinator should do next, and when to look again."""

from __future__ import annotations

import pytest

from protocol.run_events import CancelRequested, StepStarted
from protocol.runs import (
    GIVE_UP_SECONDS,
    CancelStep,
    ExpireRun,
    ExpireStep,
    OfferStep,
    RequestPlan,
    initial,
    next_actions,
    next_wake,
    replay,
)
from tests.fakes.run_stories import APPLY, APPROVED, DEADLINE, PLAN, WHOLE, offered


def test_an_apply_without_a_plan_asks_for_one_once_and_then_waits() -> None:
    """Planning and waiting ask nothing of anybody but the operator."""
    assert next_actions(APPLY, initial(APPLY), 0.0) == (RequestPlan(),)
    for events in (APPROVED[:1], APPROVED[:2]):
        state = replay(APPLY, events)
        assert next_actions(APPLY, state, 5.0) == ()
        assert next_wake(APPLY, state, 5.0) == pytest.approx(DEADLINE)
        assert next_actions(APPLY, state, DEADLINE) == (ExpireRun(),)


def test_pending_steps_are_offered_and_lost_leases_offered_again() -> None:
    """Every open step has an offer, and the next fence."""
    state = replay(APPLY, [*APPROVED, offered("a", 1, 10.0)])
    assert next_actions(APPLY, state, 11.0) == (OfferStep("b", 1),)
    assert next_wake(APPLY, state, 11.0) == pytest.approx(70.0)
    assert next_actions(APPLY, state, 70.0) == (OfferStep("a", 2), OfferStep("b", 1))
    assert next_wake(APPLY, state, 70.0) == pytest.approx(DEADLINE)


def test_the_deadline_ends_what_is_pending_first() -> None:
    """After it, only what was offered in time goes on."""
    state = replay(APPLY, [*APPROVED, offered("a", 1, 10.0)])
    assert next_actions(APPLY, state, DEADLINE) == (ExpireRun(),)


def test_a_cancelled_run_tells_its_hosts() -> None:
    """Whoever holds a step is told, under the step's fence."""
    state = replay(PLAN, [offered("a", 3), StepStarted(11.0, "a", 3), CancelRequested(12.0)])
    assert next_actions(PLAN, state, 500.0) == (CancelStep("a", 3),)


def test_a_host_that_stays_away_is_given_up() -> None:
    """A look is given up at its deadline, an apply a day later."""
    plan = replay(PLAN, [offered("a"), offered("b")])
    assert next_actions(PLAN, plan, DEADLINE) == (ExpireStep("a"), ExpireStep("b"))
    apply = replay(APPLY, [*APPROVED, offered("a"), offered("b")])
    assert next_actions(APPLY, apply, DEADLINE) == (OfferStep("a", 2), OfferStep("b", 2))
    late = DEADLINE + GIVE_UP_SECONDS
    assert next_wake(APPLY, apply, DEADLINE) == pytest.approx(late)
    assert next_actions(APPLY, apply, late) == (ExpireStep("a"), ExpireStep("b"))


def test_a_run_that_is_over_asks_for_nothing() -> None:
    """The end is the end."""
    state = replay(APPLY, WHOLE)
    assert next_actions(APPLY, state, 1e9) == ()
    assert next_wake(APPLY, state, 0.0) is None
