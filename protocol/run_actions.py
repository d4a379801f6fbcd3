"""What the coordinator should do next about a run. Pure: it says, and others do."""

from __future__ import annotations

import msgspec

from protocol.run_state import RunDefinition, RunState
from protocol.run_table import RUN_FINAL, STEP_FINAL

# A lease lives for four heartbeats: one may be lost, and one may be on its way.
LEASE_SECONDS = 60.0
# A host that holds an apply and stays away is given up a day after the run's deadline.
GIVE_UP_SECONDS = 86_400.0


class RequestPlan(msgspec.Struct, frozen=True):
    """Make a plan run over the same nodes and say `PlanRequested`."""


class OfferStep(msgspec.Struct, frozen=True):
    """Offer the step to its host, if it is connected and its journal is stored to its end."""

    node: str
    fence: int


class CancelStep(msgspec.Struct, frozen=True):
    """Tell the host to stop the step."""

    node: str
    fence: int


class ExpireStep(msgspec.Struct, frozen=True):
    """Say `StepExpired`: the host stays away for too long."""

    node: str


class ExpireRun(msgspec.Struct, frozen=True):
    """Say `RunExpired`."""


NextAction = RequestPlan | OfferStep | CancelStep | ExpireStep | ExpireRun


def next_actions(definition: RunDefinition, state: RunState, now: float) -> tuple[NextAction, ...]:
    """Return what the coordinator should do now; doing it and saying so moves the run on."""
    if state.phase in RUN_FINAL:
        return ()
    if now >= definition.deadline and (
        not state.live or any(step.phase == "pending" for step in state.steps.values())
    ):
        return (ExpireRun(),)
    if state.phase == "planning":
        return () if state.plan_run_id is not None else (RequestPlan(),)
    if state.phase == "waiting_approval":
        return ()
    over = now >= _give_up(definition)
    room = not definition.max_parallel or state.at_work(now) < definition.max_parallel
    late = definition.step == "command.run" and now >= definition.deadline
    found = (_next_of(node, state, now, over=over, room=room, late=late) for node in state.steps)
    return tuple(action for action in found if action is not None)


def _next_of(
    node: str, state: RunState, now: float, *, over: bool, room: bool, late: bool
) -> NextAction | None:
    step = state.steps[node]
    if step.phase in STEP_FINAL:
        return None
    if step.phase == "pending":
        return OfferStep(node, step.fence + 1) if room else None
    # A command that its host never took on is not waited for: a late result is taken all the same.
    lost = late and step.phase == "offered" and step.lease_expires <= now
    if over or lost:
        return ExpireStep(node)
    if state.cancelling or step.cancelling:
        return CancelStep(node, step.fence)
    return OfferStep(node, step.fence + 1) if step.lease_expires <= now else None


def next_wake(definition: RunDefinition, state: RunState, now: float) -> float | None:
    """Return when, after now, time alone gives `next_actions` something new, or None."""
    if state.phase in RUN_FINAL:
        return None
    active = [s for s in state.steps.values() if s.phase not in STEP_FINAL]
    times = [step.lease_expires for step in active if step.phase != "pending"]
    if not state.live or len(times) < len(active):
        times.append(definition.deadline)
    return min((at for at in (*times, _give_up(definition)) if at > now), default=None)


def _give_up(definition: RunDefinition) -> float:
    # A plan or a drift look only reads: nothing is lost by not waiting for it.
    acts = definition.step in {"state.apply", "command.run"}
    grace = GIVE_UP_SECONDS if acts else 0.0
    return definition.deadline + grace
