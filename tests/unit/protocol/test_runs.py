"""The run reducer by example; its laws stand in `tests/property/test_protocol_runs.py`."""

from __future__ import annotations

import msgspec
import pytest

from protocol.errors import LocalProtocolError
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
from protocol.runs import (
    CancelStep,
    ExpireStep,
    OfferStep,
    RunDefinition,
    RunState,
    initial,
    next_actions,
    reduce,
    replay,
)
from tests.fakes.run_stories import APPLY, APPROVED, COMMAND, DEADLINE, PLAN, WHOLE, done, offered


def phases(state: RunState) -> tuple[str, dict[str, str]]:
    """Return the run's phase and each step's."""
    return state.phase, {node: step.phase for node, step in state.steps.items()}


def test_an_apply_goes_from_planning_over_approval_to_completed() -> None:
    """The whole story, phase by phase."""
    state, seen = initial(APPLY), []
    for event in WHOLE:
        state = reduce(APPLY, state, event)
        if not seen or seen[-1] != state.phase:
            seen.append(state.phase)
    assert seen == ["planning", "waiting_approval", "queued", "running", "completed"]
    assert (state.plan_run_id, state.decision_id) == ("plan", "decision")
    assert state.finished_at == pytest.approx(22.0)
    assert state.steps["a"].artifact == "f" * 64


def test_a_plan_needs_no_approval() -> None:
    """Reading begins at once, and one failure makes the run failed."""
    assert initial(PLAN).phase == "queued"
    events = [offered("a"), *done("a"), offered("b"), StepFinished(30.0, "b", 1, "failed")]
    assert phases(replay(PLAN, events)) == ("failed", {"a": "succeeded", "b": "failed"})


def test_a_plan_with_nothing_to_do_completes_the_apply_at_once() -> None:
    """Nobody is asked to approve nothing; a host with nothing to do is done."""
    assert phases(replay(APPLY, [Planned(2.0, ())])) == (
        "completed",
        {"a": "succeeded", "b": "succeeded"},
    )
    part = replay(APPLY, [Planned(2.0, ("b",))])
    assert phases(part) == ("waiting_approval", {"a": "succeeded", "b": "pending"})
    assert part.steps["a"].message == "nothing to do"


@pytest.mark.parametrize(
    ("event", "run", "step"),
    [
        (Denied(3.0, "decision", "no"), "denied", "cancelled"),
        (CancelRequested(3.0), "cancelled", "cancelled"),
        (RunExpired(3.0), "expired", "expired"),
    ],
)
def test_a_run_that_is_not_approved_ends_with_all_its_steps(
    event: RunEvent, run: str, step: str
) -> None:
    """Denied, cancelled or too late: no step is left open."""
    state = replay(APPLY, [*APPROVED[:2], event])
    assert phases(state) == (run, {"a": step, "b": step})
    assert reduce(APPLY, state, APPROVED[2]) is state


def test_a_plan_that_fails_ends_the_apply() -> None:
    """There is nothing to approve, and the reason is kept."""
    state = replay(APPLY, [PlanRequested(1.0, "plan"), PlanFailed(2.0, "module_invalid", "x")])
    assert state.phase == "failed"
    assert (state.reason, state.message) == ("module_invalid", "x")


def test_an_apply_of_a_plan_that_is_there_does_not_ask_for_another() -> None:
    """The plan named at the start stays the one."""
    definition = RunDefinition("run", "state.apply", ("a",), DEADLINE, plan_run_id="mine")
    state = initial(definition)
    assert state.plan_run_id == "mine"
    assert reduce(definition, state, PlanRequested(1.0, "other")) is state


def test_a_lost_lease_is_offered_again_and_the_step_does_not_go_back() -> None:
    """A new fence on a running step keeps it running; the host adopts the fence later."""
    state = replay(PLAN, [offered("a"), StepAccepted(11.0, "a", 1), StepStarted(12.0, "a", 1)])
    again = reduce(PLAN, state, offered("a", 2, 80.0))
    assert (again.steps["a"].phase, again.steps["a"].fence) == ("running", 2)
    # The host has not seen fence 2 yet, and what it says under fence 1 still counts.
    ended = reduce(PLAN, again, StepFinished(81.0, "a", 1, "succeeded"))
    assert ended.steps["a"].phase == "succeeded"


def test_a_report_under_a_fence_that_the_host_left_behind_changes_nothing() -> None:
    """Once the host has used fence 2, fence 1 is the past; fence 3 was never offered."""
    state = replay(PLAN, [offered("a"), offered("a", 2), StepAccepted(11.0, "a", 2)])
    for fence in (-1, 0, 1, 3):
        assert reduce(PLAN, state, StepFinished(12.0, "a", fence, "failed")) is state


def test_a_report_that_moves_nothing_still_adopts_the_newer_fence() -> None:
    """A host that says it goes on under fence 2 has left fence 1 behind."""
    begun = [offered("a"), StepAccepted(11.0, "a", 1), StepStarted(12.0, "a", 1)]
    state = replay(PLAN, [*begun, offered("a", 2, 80.0), StepAccepted(81.0, "a", 2)])
    assert (state.steps["a"].phase, state.steps["a"].confirmed) == ("running", 2)
    assert reduce(PLAN, state, StepFinished(82.0, "a", 1, "failed")) is state


def test_an_offer_of_an_old_fence_or_after_the_deadline_changes_nothing() -> None:
    """Fences rise, and nothing begins when its time is over."""
    state = replay(PLAN, [offered("a", 2)])
    assert reduce(PLAN, state, offered("a", 2)) is state
    assert reduce(PLAN, state, offered("a", 1)) is state
    assert reduce(PLAN, state, offered("b", 1, DEADLINE)) is state
    # What was offered in time may be offered again: the host may have it.
    assert reduce(PLAN, state, offered("a", 3, DEADLINE)).steps["a"].fence == 3


def test_nothing_is_offered_before_the_approval_nor_after_the_end() -> None:
    """A step moves only while its run is decided and open."""
    for events in (APPROVED[:1], APPROVED[:2], WHOLE):
        state = replay(APPLY, events)
        assert reduce(APPLY, state, offered("a", 9, 30.0)) is state
        assert reduce(APPLY, state, StepExpired(30.0, "a")) is state
        assert reduce(APPLY, state, StepWithdrawn(30.0, "a")) is state


def test_a_lease_is_renewed_for_the_fence_that_stands_and_only_forward() -> None:
    """A heartbeat of an old attempt keeps nothing alive."""
    state = replay(PLAN, [offered("a"), offered("a", 2)])
    longer = reduce(PLAN, state, LeaseRenewed(20.0, "a", 2, 99.0))
    assert longer.steps["a"].lease_expires == pytest.approx(99.0)
    assert reduce(PLAN, longer, LeaseRenewed(20.0, "a", 2, 98.0)) is longer
    assert reduce(PLAN, longer, LeaseRenewed(20.0, "a", 1, 500.0)) is longer
    assert reduce(PLAN, longer, LeaseRenewed(20.0, "b", 0, 500.0)) is longer


def test_a_cancelled_run_waits_for_what_its_hosts_hold() -> None:
    """What nobody holds ends at once; what a host holds ends with the host's own word."""
    state = replay(PLAN, [offered("a"), StepStarted(11.0, "a", 1), CancelRequested(12.0, "stop")])
    assert phases(state) == ("running", {"a": "running", "b": "cancelled"})
    assert reduce(PLAN, state, CancelRequested(13.0)) is state
    assert reduce(PLAN, state, offered("a", 2, 80.0)) is state
    stopped = reduce(PLAN, state, StepFinished(14.0, "a", 1, "cancelled"))
    assert stopped.phase == "cancelled"
    finished = reduce(PLAN, state, StepFinished(14.0, "a", 1, "succeeded"))
    assert phases(finished) == ("cancelled", {"a": "succeeded", "b": "cancelled"})


def test_a_cancel_that_comes_too_late_leaves_a_completed_run_completed() -> None:
    """If every host was done, the truth is that the run completed."""
    events = [offered("a"), offered("b"), CancelRequested(12.0), *done("a"), *done("b")]
    assert replay(PLAN, events).phase == "completed"


def test_an_expired_run_ends_what_has_not_begun() -> None:
    """The rest goes on, and the run ends with it."""
    state = replay(PLAN, [offered("a"), RunExpired(DEADLINE)])
    assert phases(state) == ("queued", {"a": "offered", "b": "expired"})
    assert reduce(PLAN, state, StepExpired(2_000.0, "a")).phase == "expired"


def test_a_refusal_keeps_its_reason() -> None:
    """The word the host gave is what `why` will show."""
    events = [offered("a"), StepRefused(11.0, "a", 1, "replayed", "used 1 times")]
    state = replay(PLAN, [*events, StepWithdrawn(12.0, "b")])
    assert (state.phase, state.steps["a"].reason) == ("failed", "replayed")
    assert state.steps["a"].message == "used 1 times"


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [
        ("succeeded", "completed"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("refused", "failed"),
        ("interrupted", "failed"),
        ("expired", "expired"),
    ],
)
def test_each_outcome_of_the_only_step_ends_the_run_its_way(
    outcome: StepOutcome, phase: str
) -> None:
    """A run over one host ends as its step did."""
    definition = RunDefinition("run", "state.drift", ("a",), DEADLINE)
    events: list[RunEvent] = [offered("a"), StepFinished(20.0, "a", 1, outcome)]
    assert replay(definition, events).phase == phase


def test_events_of_unknown_nodes_change_nothing() -> None:
    """A host that is not part of the run has no say in it."""
    state = replay(PLAN, [offered("a")])
    for event in (
        Offered(11.0, "z", 1, "l", 99.0),
        StepAccepted(11.0, "z", 1),
        StepExpired(11.0, "z"),
        Approved(11.0, "x"),
        Planned(11.0, ("z",)),
    ):
        assert reduce(PLAN, state, event) is state


@pytest.mark.parametrize("nodes", [(), ("a", "a")])
def test_a_run_names_each_node_once_and_at_least_one(nodes: tuple[str, ...]) -> None:
    """A run over nothing would never end."""
    with pytest.raises(LocalProtocolError):
        initial(RunDefinition("run", "state.plan", nodes, DEADLINE))


def test_a_command_waits_for_its_signature_and_plans_nothing() -> None:
    """It is offered only after the yes."""
    waiting = initial(COMMAND)
    assert waiting.phase == "waiting_approval"
    assert reduce(COMMAND, waiting, offered("a")) is waiting
    yes = reduce(COMMAND, waiting, Approved(1.0, "decision"))
    assert yes.phase == "queued"


def test_no_more_hosts_are_at_work_than_allowed() -> None:
    """The place of one that ended is free; one whose lease ran out holds up nobody."""
    one = msgspec.structs.replace(COMMAND, max_parallel=1)
    state = replay(one, [Approved(1.0, "decision"), offered("a")])
    assert reduce(one, state, offered("b")) is state
    assert not next_actions(one, state, 20.0)
    ended = replay(one, [Approved(1.0, "decision"), offered("a"), *done("a")])
    assert OfferStep("b", 1) in next_actions(one, ended, 30.0)
    assert reduce(one, ended, offered("b", at=30.0)).steps["b"].phase == "offered"
    assert OfferStep("b", 1) in next_actions(one, state, 70.0)
    assert reduce(one, state, offered("b", at=70.0)).steps["b"].phase == "offered"


@pytest.mark.parametrize(("most", "left"), [(None, "pending"), (1, "pending"), (0, "cancelled")])
def test_after_too_many_failures_nothing_more_begins(most: int | None, left: str) -> None:
    """The rest is cancelled with a reason; what runs goes on to its end."""
    few = msgspec.structs.replace(COMMAND, max_failures=most)
    failed = StepFinished(20.0, "a", 1, "failed")
    state = replay(few, [Approved(1.0, "decision"), offered("a"), offered("b"), failed])
    assert state.steps["c"].phase == left
    assert state.steps["b"].phase == "offered"
    if most == 0:
        assert state.steps["c"].message == "not begun: 1 host failed"
        assert replay(few, [Approved(1.0, "d"), offered("a"), failed]).phase == "failed"


def test_one_host_of_a_run_can_be_cancelled() -> None:
    """What has not begun is over at once, what a host holds is told to it; the others go on."""
    begun = [Approved(1.0, "decision"), offered("a"), StepCancelRequested(11.0, "a", "no")]
    state = replay(COMMAND, [*begun, StepCancelRequested(11.0, "b", "no")])
    assert (state.steps["b"].phase, state.steps["b"].message) == ("cancelled", "no")
    assert next_actions(COMMAND, state, 12.0) == (CancelStep("a", 1), OfferStep("c", 1))
    assert reduce(COMMAND, state, StepCancelRequested(12.0, "a")) is state
    assert state.phase in {"queued", "running"}


def test_a_run_whose_hosts_were_all_cancelled_waits_for_nothing() -> None:
    """Before its signature as well as after it."""
    cancels = [StepCancelRequested(2.0, node) for node in "abc"]
    assert replay(COMMAND, list(cancels)).phase == "cancelled"
    assert replay(COMMAND, [Approved(1.0, "d"), *cancels]).phase == "cancelled"


def test_a_command_that_no_host_took_on_ends_at_its_deadline() -> None:
    """One that a host has taken on is waited for a day more."""
    state = replay(COMMAND, [Approved(1.0, "d"), offered("a"), offered("b"), *done("b")[:1]])
    expired = reduce(COMMAND, state, RunExpired(DEADLINE))
    assert expired.steps["c"].phase == "expired"
    assert next_actions(COMMAND, expired, DEADLINE) == (ExpireStep("a"), OfferStep("b", 2))
