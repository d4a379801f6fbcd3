"""Runs told event by event, for tests of the reducer."""

from __future__ import annotations

from protocol.run_events import (
    Approved,
    Offered,
    Planned,
    PlanRequested,
    RunEvent,
    StepAccepted,
    StepFinished,
    StepStarted,
)
from protocol.runs import RunDefinition

DEADLINE = 1_000.0
APPLY = RunDefinition("run", "state.apply", ("a", "b"), DEADLINE)
PLAN = RunDefinition("run", "state.plan", ("a", "b"), DEADLINE)
COMMAND = RunDefinition("run", "command.run", ("a", "b", "c"), DEADLINE)


def offered(node: str, fence: int = 1, at: float = 10.0) -> Offered:
    """Return an offer with a lease of a minute."""
    return Offered(at, node, fence, f"lease-{node}-{fence}", at + 60.0)


def done(node: str, fence: int = 1, at: float = 20.0) -> list[RunEvent]:
    """Return what a host reports of a step that goes well."""
    return [
        StepAccepted(at, node, fence),
        StepStarted(at + 1, node, fence),
        StepFinished(at + 2, node, fence, "succeeded", "f" * 64, "d" * 64),
    ]


APPROVED: list[RunEvent] = [
    PlanRequested(1.0, "plan"),
    Planned(2.0, ("a", "b")),
    Approved(3.0, "decision"),
]
WHOLE: list[RunEvent] = [*APPROVED, offered("a"), offered("b"), *done("a"), *done("b")]
