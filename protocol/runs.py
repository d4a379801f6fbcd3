"""The run reducer: what follows from each event, and what to do next. Pure; time is an argument.

`reduce(definition, state, event)` never goes back: an event that its table does not know, a
duplicate, or a report under an old fence returns the very same state. A step's fence rises with
each offer; a host reports under the fence that it knows and adopts newer ones in order, so a
report counts if its fence is one that was offered and not below the last one the host used.
Record an event and look at the state that it leads to before acting on it: an offer whose fence
is not the step's fence afterwards must not be sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from protocol.api import StepPhase
from protocol.messages import StepOutcome
from protocol.run_actions import (
    GIVE_UP_SECONDS,
    LEASE_SECONDS,
    CancelStep,
    ExpireRun,
    ExpireStep,
    NextAction,
    OfferStep,
    RequestPlan,
    next_actions,
    next_wake,
)
from protocol.run_events import (
    Approved,
    CancelRequested,
    Denied,
    HostReport,
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
from protocol.run_state import RunDefinition, RunState, StepState, initial
from protocol.run_table import (
    RUN_FINAL,
    RUN_TABLE,
    STEP_FINAL,
    STEP_TABLE,
    RunChange,
    StepChange,
)

__all__ = [
    "GIVE_UP_SECONDS",
    "LEASE_SECONDS",
    "RUN_FINAL",
    "STEP_FINAL",
    "CancelStep",
    "ExpireRun",
    "ExpireStep",
    "NextAction",
    "OfferStep",
    "RequestPlan",
    "RunDefinition",
    "RunEvent",
    "RunState",
    "StepState",
    "initial",
    "next_actions",
    "next_wake",
    "reduce",
    "replay",
]

_OUTCOMES: dict[StepOutcome, StepChange] = {
    "succeeded": "succeed",
    "failed": "fail",
    "cancelled": "cancel",
    "refused": "refuse",
    "interrupted": "interrupt",
    "expired": "expire",
}


# What counts against `max_failures`; a host that is away has not failed.
_FAILED: frozenset[StepPhase] = frozenset({"failed", "refused", "interrupted"})


def replay(definition: RunDefinition, events: Iterable[RunEvent]) -> RunState:
    """Return the state after all events in order."""
    state = initial(definition)
    for event in events:
        state = reduce(definition, state, event)
    return state


def reduce(definition: RunDefinition, state: RunState, event: RunEvent) -> RunState:
    """Return the state after one event; the same object if the event changes nothing."""
    after = _reduced(definition, state, event)
    return after if after is state else _halted(definition, after, event.at)


def _halted(definition: RunDefinition, state: RunState, at: float) -> RunState:
    most = definition.max_failures
    if most is None or not state.live:
        return state
    count = sum(step.phase in _FAILED for step in state.steps.values())
    if count <= most:
        return state
    hosts = "1 host" if count == 1 else f"{count} hosts"
    return _settle(_end_pending(state, "withdraw", at, f"not begun: {hosts} failed"), at)


def _reduced(definition: RunDefinition, state: RunState, event: RunEvent) -> RunState:
    match event:
        case StepAccepted() | StepStarted() | StepRefused() | StepFinished():
            return _report(state, event)
        case Offered():
            return _offered(definition, state, event)
        case LeaseRenewed():
            return _renewed(state, event)
        case StepWithdrawn() | StepExpired():
            change: StepChange = "withdraw" if isinstance(event, StepWithdrawn) else "expire"
            return _end_step(state, event, change)
        case StepCancelRequested():
            return _cancel_step(state, event)
        case PlanRequested() | Planned() | PlanFailed():
            return _plan_event(state, event)
        case _:
            return _run_event(state, event)


def _plan_event(state: RunState, event: PlanRequested | Planned | PlanFailed) -> RunState:
    match event:
        case PlanRequested():
            if state.phase != "planning" or state.plan_run_id is not None:
                return state
            return msgspec.structs.replace(state, plan_run_id=event.plan_run_id)
        case Planned():
            return _planned(state, event)
        case PlanFailed():
            return _close(state, "plan_failed", "withdraw", event.at, event.message, event.reason)
        case _:
            assert_never(event)


def _run_event(
    state: RunState, event: Approved | Denied | CancelRequested | RunExpired
) -> RunState:
    match event:
        case Approved():
            after = _move(state, "approved", event.at)
            if after is state:
                return state
            return msgspec.structs.replace(after, decision_id=event.decision_id)
        case Denied():
            return _close(state, "denied", "withdraw", event.at, event.message, "verdict_denied")
        case CancelRequested():
            return _cancel(state, event)
        case RunExpired():
            if state.phase in {"planning", "waiting_approval"}:
                return _close(state, "expired", "expire", event.at, "", "expired")
            return _settle(_end_pending(state, "expire", event.at), event.at)
        case _:
            assert_never(event)


def _planned(state: RunState, event: Planned) -> RunState:
    if state.phase != "planning":
        return state
    bound = frozenset(event.bound)
    idle = [node for node in state.steps if node not in bound]
    steps = dict(state.steps)
    for node in idle:
        steps[node] = _step(steps[node], "skip", event.at, message="nothing to do")
    change: RunChange = "planned" if len(idle) < len(steps) else "nothing_to_do"
    return _move(msgspec.structs.replace(state, steps=steps), change, event.at)


def _cancel(state: RunState, event: CancelRequested) -> RunState:
    if state.phase in {"planning", "waiting_approval"}:
        return _close(state, "cancelled", "withdraw", event.at, event.message)
    if state.phase in RUN_FINAL or state.cancelling:
        return state
    marked = msgspec.structs.replace(state, cancelling=True, message=event.message)
    return _settle(_end_pending(marked, "withdraw", event.at), event.at)


def _cancel_step(state: RunState, event: StepCancelRequested) -> RunState:
    step = state.steps.get(event.node)
    if step is None or step.phase in STEP_FINAL or state.phase in RUN_FINAL:
        return state
    if step.phase == "pending":
        after = _step(step, "withdraw", event.at, event.message)
        moved = _with_step(state, event.node, after)
        if state.live or any(one.phase not in STEP_FINAL for one in moved.steps.values()):
            return _settle(moved, event.at)
        # Nobody is left to wait for a signature for.
        return _move(moved, "cancelled", event.at)
    if step.cancelling:
        return state
    marked = msgspec.structs.replace(step, cancelling=True)
    return _with_step(state, event.node, marked)


def _report(state: RunState, event: HostReport) -> RunState:
    step = state.steps.get(event.node)
    if step is None or not max(1, step.confirmed) <= event.fence <= step.fence:
        return state
    change, message, reason = _said(event)
    if (step.phase, change) not in STEP_TABLE:
        return state
    after = _step(step, change, event.at, message, reason)
    if isinstance(event, StepFinished):
        after = msgspec.structs.replace(after, artifact=event.artifact, digest=event.digest)
    # A report that moves nothing still says which fence the host has adopted.
    if after.confirmed != event.fence:
        after = msgspec.structs.replace(after, confirmed=event.fence)
    return _put(state, event.node, step, after, event.at)


def _said(event: HostReport) -> tuple[StepChange, str, str | None]:
    match event:
        case StepAccepted():
            return "accept", "", None
        case StepStarted():
            return "start", "", None
        case StepRefused():
            return "refuse", event.message, event.reason
        case StepFinished():
            return _OUTCOMES[event.outcome], event.message, event.reason


def _offered(definition: RunDefinition, state: RunState, event: Offered) -> RunState:
    step = state.steps.get(event.node)
    if step is None or event.fence <= step.fence or not state.live or state.cancelling:
        return state
    if step.phase == "pending" and event.at >= definition.deadline:
        return state
    # Several links may look at once: the place is taken by the offer that is recorded first.
    most = definition.max_parallel
    if step.phase == "pending" and most and state.at_work(event.at) >= most:
        return state
    if (step.phase, "offer") not in STEP_TABLE:
        return state
    after = msgspec.structs.replace(
        _step(step, "offer", event.at),
        fence=event.fence,
        lease=event.lease,
        lease_expires=event.expires,
    )
    return _with_step(state, event.node, after)


def _renewed(state: RunState, event: LeaseRenewed) -> RunState:
    step = state.steps.get(event.node)
    if step is None or event.fence != step.fence or event.expires <= step.lease_expires:
        return state
    if (step.phase, "renew") not in STEP_TABLE or not state.live:
        return state
    after = msgspec.structs.replace(step, lease_expires=event.expires)
    return _with_step(state, event.node, after)


def _end_step(state: RunState, event: StepWithdrawn | StepExpired, change: StepChange) -> RunState:
    step = state.steps.get(event.node)
    if step is None:
        return state
    after = _step(step, change, event.at, event.message)
    return _put(state, event.node, step, after, event.at, begins=False)


def _put(
    state: RunState,
    node: str,
    before: StepState,
    after: StepState,
    at: float,
    *,
    begins: bool = True,
) -> RunState:
    if after is before or not state.live:
        return state
    moved = _with_step(state, node, after)
    return _settle(_move(moved, "began", at) if begins else moved, at)


def _with_step(state: RunState, node: str, step: StepState) -> RunState:
    return msgspec.structs.replace(state, steps={**state.steps, node: step})


def _step(
    step: StepState, change: StepChange, at: float, message: str = "", reason: str | None = None
) -> StepState:
    phase = STEP_TABLE.get((step.phase, change))
    if phase is None:
        return step
    if phase not in STEP_FINAL:
        return step if phase == step.phase else msgspec.structs.replace(step, phase=phase)
    return msgspec.structs.replace(
        step, phase=phase, finished_at=at, message=message, reason=reason
    )


def _end_pending(state: RunState, change: StepChange, at: float, message: str = "") -> RunState:
    steps = {
        node: _step(step, change, at, message) if step.phase == "pending" else step
        for node, step in state.steps.items()
    }
    if steps == state.steps:
        return state
    return msgspec.structs.replace(state, steps=steps)


def _close(
    state: RunState,
    change: RunChange,
    step_change: StepChange,
    at: float,
    message: str = "",
    reason: str | None = None,
) -> RunState:
    after = _move(state, change, at)
    if after is state:
        return state
    ended = _end_pending(after, step_change, at)
    return msgspec.structs.replace(ended, message=message, reason=reason)


def _move(state: RunState, change: RunChange, at: float) -> RunState:
    phase = RUN_TABLE.get((state.phase, change))
    if phase is None or phase == state.phase:
        return state
    finished = at if phase in RUN_FINAL else None
    return msgspec.structs.replace(state, phase=phase, finished_at=finished)


def _settle(state: RunState, at: float) -> RunState:
    phases = {step.phase for step in state.steps.values()}
    if not state.live or not phases <= STEP_FINAL:
        return state
    if phases == {"succeeded"}:
        return _move(state, "steps_completed", at)
    if phases & {"failed", "refused", "interrupted"}:
        return _move(state, "steps_failed", at)
    return _move(state, "cancelled" if "cancelled" in phases else "expired", at)
