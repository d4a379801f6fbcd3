"""The states of one command on one host as they are published, as a table. Nothing here acts.

A result may come late: after a cancel that did not reach the host, or after the deadline. As long
as none is there, it is taken (`cancelled_open`, `expired_open`); what is over with a result, and
what was dropped with its host, never changes again.
"""

from __future__ import annotations

from typing import Literal, get_args

ExecutionStatus = Literal["pending", "sent", "completed", "cancelled", "expired", "dropped"]
Stage = Literal[
    "pending",
    "sent",
    "cancelled_open",
    "expired_open",
    "completed",
    "cancelled",
    "expired",
    "dropped",
]
ExecutionChange = Literal[
    "send", "withdraw", "expire", "drop", "finish", "finish_cancelled", "finish_expired"
]

STAGES: tuple[Stage, ...] = get_args(Stage)
STATUSES: tuple[ExecutionStatus, ...] = get_args(ExecutionStatus)
CHANGES: tuple[ExecutionChange, ...] = get_args(ExecutionChange)
# What nothing leads out of.
SETTLED: frozenset[Stage] = frozenset({"completed", "cancelled", "expired", "dropped"})
# What still may begin or end by itself: a command with one of these cannot be deleted.
MOVING: frozenset[Stage] = frozenset({"pending", "sent"})

_RESULTS: dict[ExecutionChange, Stage] = {
    "finish": "completed",
    "finish_cancelled": "cancelled",
    "finish_expired": "expired",
}
_OPEN: tuple[Stage, ...] = ("pending", "sent", "cancelled_open", "expired_open")

EXECUTION_TABLE: dict[tuple[Stage, ExecutionChange], Stage] = {
    ("pending", "send"): "sent",
    ("pending", "withdraw"): "cancelled_open",
    ("pending", "expire"): "expired_open",
    ("pending", "drop"): "dropped",
    ("sent", "withdraw"): "cancelled_open",
    ("sent", "expire"): "expired_open",
    ("sent", "drop"): "dropped",
    **{(stage, change): end for stage in _OPEN for change, end in _RESULTS.items()},
}

_SHOWN: dict[Stage, ExecutionStatus] = {
    "pending": "pending",
    "sent": "sent",
    "cancelled_open": "cancelled",
    "expired_open": "expired",
    "completed": "completed",
    "cancelled": "cancelled",
    "expired": "expired",
    "dropped": "dropped",
}


def follow(stage: Stage, change: ExecutionChange) -> Stage:
    """Return the stage after a change; the same one if the change means nothing there."""
    return EXECUTION_TABLE.get((stage, change), stage)


def status(stage: Stage) -> ExecutionStatus:
    """Return how a stage is shown."""
    return _SHOWN[stage]
