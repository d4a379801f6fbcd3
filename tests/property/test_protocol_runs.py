"""Laws of the run reducer, over any sequence of events that a coordinator could store."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from protocol.messages import StepOutcome
from protocol.run_events import (
    Approved,
    CancelRequested,
    Denied,
    LeaseRenewed,
    Offered,
    PlanFailed,
    Planned,
    PlanRequested,
    RunEvent,
    RunExpired,
    StepAccepted,
    StepCancelRequested,
    StepExpired,
    StepFinished,
    StepRefused,
    StepStarted,
    StepWithdrawn,
)
from protocol.run_table import RUN_FINAL, STEP_FINAL
from protocol.runs import (
    RunDefinition,
    RunState,
    initial,
    next_actions,
    next_wake,
    reduce,
    replay,
)

NODES = ("a", "b", "c")
AT = st.floats(0.0, 2_000.0)
NODE = st.sampled_from((*NODES, "stranger"))
FENCE = st.integers(-1, 5)
OUTCOME: st.SearchStrategy[StepOutcome] = st.sampled_from(
    ("succeeded", "failed", "cancelled", "refused", "interrupted", "expired")
)
EVENT: st.SearchStrategy[RunEvent] = st.one_of(
    st.builds(PlanRequested, AT, st.just("plan")),
    st.builds(Planned, AT, st.lists(NODE, max_size=3).map(tuple)),
    st.builds(PlanFailed, AT, st.just("module_invalid")),
    st.builds(Approved, AT, st.just("decision")),
    st.builds(Denied, AT, st.just("decision")),
    st.builds(Offered, AT, NODE, FENCE, st.just("lease"), AT),
    st.builds(LeaseRenewed, AT, NODE, FENCE, AT),
    st.builds(StepAccepted, AT, NODE, FENCE),
    st.builds(StepStarted, AT, NODE, FENCE),
    st.builds(StepRefused, AT, NODE, FENCE, st.just("expired")),
    st.builds(StepFinished, AT, NODE, FENCE, OUTCOME),
    st.builds(StepWithdrawn, AT, NODE),
    st.builds(StepExpired, AT, NODE),
    st.builds(CancelRequested, AT),
    st.builds(StepCancelRequested, AT, NODE),
    st.builds(RunExpired, AT),
)
DEFINITION = st.builds(
    RunDefinition,
    st.just("run"),
    st.sampled_from(("state.plan", "state.apply", "state.drift", "command.run")),
    st.sampled_from((NODES, NODES[:1], NODES[:2])),
    st.just(1_000.0),
    st.none(),
    st.integers(0, 2),
    st.one_of(st.none(), st.integers(0, 2)),
)
RUN_RANK = {"planning": 0, "waiting_approval": 1, "queued": 2, "running": 3}
STEP_RANK = {"pending": 0, "offered": 1, "accepted": 2, "running": 3}


def events(most: int = 40) -> st.SearchStrategy[list[RunEvent]]:
    """Return stories that often get somewhere: a good beginning, then anything."""
    start: list[RunEvent] = [Planned(1.0, NODES), Approved(2.0, "decision")]
    begun = st.sampled_from(([], start[:1], start))
    return st.builds(list.__add__, begun, st.lists(EVENT, max_size=most))


def history(definition: RunDefinition, story: list[RunEvent]) -> list[RunState]:
    """Return the state after each event, the initial one first."""
    states = [initial(definition)]
    for event in story:
        states.append(reduce(definition, states[-1], event))  # each needs the last
    return states


@given(DEFINITION, events())
def test_replay_of_any_prefix_is_deterministic(
    definition: RunDefinition, story: list[RunEvent]
) -> None:
    """The state is a function of the events alone, at every point of the story."""
    for length, state in enumerate(history(definition, story)):
        assert replay(definition, story[:length]) == state


@given(DEFINITION, events())
def test_phases_never_go_back_and_the_end_stays_the_end(
    definition: RunDefinition, story: list[RunEvent]
) -> None:
    """No event moves a run or a step to an earlier phase, and fences only rise."""
    states = history(definition, story)
    for before, after in itertools.pairwise(states):
        if before.phase in RUN_FINAL:
            assert after is before
        assert RUN_RANK.get(after.phase, 9) >= RUN_RANK.get(before.phase, 9)
        for node, step in before.steps.items():
            then = after.steps[node]
            if step.phase in STEP_FINAL:
                assert then == step
            assert STEP_RANK.get(then.phase, 9) >= STEP_RANK.get(step.phase, 9)
            assert then.fence >= step.fence
            assert then.confirmed >= step.confirmed
            assert 0 <= then.confirmed <= then.fence


@given(DEFINITION, events())
def test_a_run_is_over_exactly_when_all_its_steps_are(
    definition: RunDefinition, story: list[RunEvent]
) -> None:
    """No run hangs with nothing left to do, and none ends over the head of a step."""
    for state in history(definition, story):
        over = all(step.phase in STEP_FINAL for step in state.steps.values())
        assert over == (state.phase in RUN_FINAL)
        assert (state.finished_at is not None) == over


@given(DEFINITION, events(25))
def test_every_event_told_twice_is_told_once(
    definition: RunDefinition, story: list[RunEvent]
) -> None:
    """At-least-once delivery is safe: the same event right after itself changes nothing."""
    doubled = [event for event in story for _ in range(2)]
    assert replay(definition, doubled) == replay(definition, story)


@given(DEFINITION, events(), st.randoms(use_true_random=False))
def test_late_reports_under_left_fences_change_nothing_in_any_order(
    definition: RunDefinition, story: list[RunEvent], chance: object
) -> None:
    """What a host said before it adopted a newer fence may come late, twice and shuffled."""
    state = replay(definition, story)
    late: list[RunEvent] = [
        report
        for node, step in state.steps.items()
        for fence in range(-1, step.confirmed)
        for report in (
            StepAccepted(1.0, node, fence),
            StepStarted(1.0, node, fence),
            StepFinished(1.0, node, fence, "failed"),
            StepRefused(1.0, node, fence, "expired"),
        )
    ]
    chance.shuffle(late)  # type: ignore[attr-defined]  # hypothesis' Random
    for event in late:
        assert reduce(definition, state, event) is state


@given(DEFINITION, events(), AT)
def test_doing_what_is_next_always_moves_a_run_on(
    definition: RunDefinition, story: list[RunEvent], now: float
) -> None:
    """With hosts that never answer, every run still ends; no wake-up lies in the past."""
    state = replay(definition, story)
    for _ in range(60):
        if state.phase in RUN_FINAL:
            break
        wake = next_wake(definition, state, now)
        before = state
        for action in next_actions(definition, state, now):
            match type(action).__name__:
                case "RequestPlan":
                    event: RunEvent = PlanRequested(now, "plan")
                case "OfferStep":
                    event = Offered(now, action.node, action.fence, "l", now + 60.0)  # type: ignore[union-attr]  # by name
                case "CancelStep":
                    continue
                case "ExpireStep":
                    event = StepExpired(now, action.node)  # type: ignore[union-attr]  # by name
                case _:
                    event = RunExpired(now)
            moved = reduce(definition, state, event)
            # Each host may be the one to take the last place; the reducer gives it to the first.
            full = 0 < definition.max_parallel <= state.at_work(now)
            assert moved is not state or (full and isinstance(event, Offered))
            state = moved
        if state == before:
            assert wake is not None
            assert wake > now
            # Do not offer over and over for a day: look again when it is given up.
            now = wake if now < definition.deadline else max(wake, now + 40_000.0)
        elif now >= definition.deadline:
            now += 40_000.0
        else:
            now += 100.0
    assert state.phase in RUN_FINAL
