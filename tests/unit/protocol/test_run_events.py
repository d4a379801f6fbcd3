"""Run events are stored as JSON with their kind, and read back as what they were."""

from __future__ import annotations

from typing import get_args

import msgspec

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

EVENTS: list[RunEvent] = [
    PlanRequested(1.0, "p"),
    Planned(1.0, ("a",)),
    PlanFailed(1.0, "r", "m"),
    Approved(1.0, "d"),
    Denied(1.0, "d", "m"),
    Offered(1.0, "a", 1, "l", 2.0),
    LeaseRenewed(1.0, "a", 1, 2.0),
    StepAccepted(1.0, "a", 1),
    StepStarted(1.0, "a", 1),
    StepRefused(1.0, "a", 1, "r", "m"),
    StepFinished(1.0, "a", 1, "failed", "x", "y", "z"),
    StepWithdrawn(1.0, "a"),
    StepExpired(1.0, "a"),
    CancelRequested(1.0),
    StepCancelRequested(7.0, "a", "why"),
    RunExpired(1.0),
]


def test_every_event_survives_json_with_its_kind() -> None:
    """The list holds each kind, and each comes back as itself."""
    assert {type(event) for event in EVENTS} == set(get_args(RunEvent))
    for event in EVENTS:
        assert msgspec.json.decode(msgspec.json.encode(event), type=RunEvent) == event
