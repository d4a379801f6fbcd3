"""Run states are values that survive a trip through the store."""

from __future__ import annotations

import msgspec

from protocol.runs import RunDefinition, RunState, replay
from tests.fakes.run_stories import APPLY, WHOLE


def test_a_state_and_a_definition_survive_json() -> None:
    """What the coordinator stores is what it reads back."""
    for events in (WHOLE[:n] for n in range(len(WHOLE) + 1)):
        state = replay(APPLY, events)
        assert msgspec.json.decode(msgspec.json.encode(state), type=RunState) == state
    assert msgspec.json.decode(msgspec.json.encode(APPLY), type=RunDefinition) == APPLY


def test_only_queued_and_running_runs_are_live() -> None:
    """Steps move in these two phases alone."""
    seen = {replay(APPLY, WHOLE[:n]).phase: replay(APPLY, WHOLE[:n]).live for n in range(12)}
    assert {phase for phase, live in seen.items() if live} == {"queued", "running"}
