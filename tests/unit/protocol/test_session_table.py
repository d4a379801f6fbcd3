"""The tables of the link: which pairs are legal, and that closed means closed."""

from __future__ import annotations

import pytest

from protocol.session_table import (
    AGENT_TABLE,
    COORDINATOR_TABLE,
    AgentState,
    CoordinatorState,
    Event,
)


def test_every_state_but_new_is_reached_and_every_state_but_closed_is_left() -> None:
    """No row leads into the void, and no state is there for nothing."""
    for table, states in ((AGENT_TABLE, AgentState), (COORDINATOR_TABLE, CoordinatorState)):
        assert set(table.values()) == {state for state in states if state.value != "new"}
        assert {state for state, _ in table} == {s for s in states if s.value != "closed"}


@pytest.mark.parametrize("event", list(Event))
def test_closed_knows_no_event(event: Event) -> None:
    """Nothing follows the end."""
    assert (AgentState.CLOSED, event) not in AGENT_TABLE
    assert (CoordinatorState.CLOSED, event) not in COORDINATOR_TABLE


def test_every_open_state_can_be_closed_by_either_side() -> None:
    """A close and a fault are always possible."""
    for table, states in ((AGENT_TABLE, AgentState), (COORDINATOR_TABLE, CoordinatorState)):
        for state in states:
            if state.value != "closed":
                assert table[state, Event.CLOSE].value == "closed"  # type: ignore[index]  # either
                assert table[state, Event.FAULT].value == "closed"  # type: ignore[index]  # either


def test_work_is_legal_in_approved_only() -> None:
    """No other state lets an offer, a cancel or a desired document through."""
    for event in (Event.OFFER, Event.CANCEL, Event.DESIRED):
        assert [s for s, e in AGENT_TABLE if e is event] == [AgentState.APPROVED]
        assert [s for s, e in COORDINATOR_TABLE if e is event] == [CoordinatorState.APPROVED]


def test_approval_comes_from_a_welcome_only() -> None:
    """No other event leads into `approved` from outside."""
    for table in (AGENT_TABLE, COORDINATOR_TABLE):
        entering = {
            event
            for (state, event), after in table.items()
            if after.value == "approved" and state.value != "approved"
        }
        assert entering == {Event.WELCOME_APPROVED}
