"""The phases of runs and steps as tables: what may follow what. Nothing here acts.

A pair that is not in a table changes nothing. No row leads to an earlier phase, and none leads
out of a final one: what is over stays as it was reported.
"""

from __future__ import annotations

from typing import Literal, get_args

from protocol.api import RunPhase, StepPhase

StepChange = Literal[
    "offer",
    "renew",
    "accept",
    "start",
    "refuse",
    "succeed",
    "fail",
    "cancel",
    "interrupt",
    "expire",
    "withdraw",
    "skip",
]
RunChange = Literal[
    "planned",
    "nothing_to_do",
    "plan_failed",
    "approved",
    "denied",
    "began",
    "cancelled",
    "expired",
    "steps_completed",
    "steps_failed",
]

STEP_FINAL: frozenset[StepPhase] = frozenset(
    {"succeeded", "failed", "refused", "cancelled", "interrupted", "expired"}
)
RUN_FINAL: frozenset[RunPhase] = frozenset(
    {"completed", "failed", "cancelled", "denied", "expired"}
)
STEP_PHASES: tuple[StepPhase, ...] = get_args(StepPhase)
RUN_PHASES: tuple[RunPhase, ...] = get_args(RunPhase)
STEP_CHANGES: tuple[StepChange, ...] = get_args(StepChange)
RUN_CHANGES: tuple[RunChange, ...] = get_args(RunChange)

# What a host's own report ends a step with, whatever phase the coordinator believed it in.
_HELD: dict[StepChange, StepPhase] = {
    "refuse": "refused",
    "succeed": "succeeded",
    "fail": "failed",
    "cancel": "cancelled",
    "interrupt": "interrupted",
    "expire": "expired",
}

STEP_TABLE: dict[tuple[StepPhase, StepChange], StepPhase] = {
    ("pending", "offer"): "offered",
    ("pending", "withdraw"): "cancelled",
    ("pending", "expire"): "expired",
    ("pending", "skip"): "succeeded",
    ("offered", "offer"): "offered",
    ("offered", "renew"): "offered",
    ("offered", "accept"): "accepted",
    ("offered", "start"): "running",
    ("offered", "withdraw"): "cancelled",
    # A lost lease is offered again under a new fence; the step stays where the host brought it.
    ("accepted", "offer"): "accepted",
    ("accepted", "renew"): "accepted",
    ("accepted", "accept"): "accepted",
    ("accepted", "start"): "running",
    # A plan that was interrupted by a restart is accepted and started once more: reads only.
    ("running", "offer"): "running",
    ("running", "renew"): "running",
    ("running", "accept"): "running",
    ("running", "start"): "running",
    **{("offered", change): phase for change, phase in _HELD.items()},
    **{("accepted", change): phase for change, phase in _HELD.items()},
    **{("running", change): phase for change, phase in _HELD.items()},
}

RUN_TABLE: dict[tuple[RunPhase, RunChange], RunPhase] = {
    ("planning", "planned"): "waiting_approval",
    ("planning", "nothing_to_do"): "completed",
    ("planning", "plan_failed"): "failed",
    ("planning", "cancelled"): "cancelled",
    ("planning", "expired"): "expired",
    ("waiting_approval", "approved"): "queued",
    ("waiting_approval", "denied"): "denied",
    ("waiting_approval", "cancelled"): "cancelled",
    ("waiting_approval", "expired"): "expired",
    ("queued", "began"): "running",
    ("queued", "steps_completed"): "completed",
    ("queued", "steps_failed"): "failed",
    ("queued", "cancelled"): "cancelled",
    ("queued", "expired"): "expired",
    ("running", "began"): "running",
    ("running", "steps_completed"): "completed",
    ("running", "steps_failed"): "failed",
    ("running", "cancelled"): "cancelled",
    ("running", "expired"): "expired",
}
