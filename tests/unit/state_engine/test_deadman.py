"""The dead-man switch, every state with every event."""

from __future__ import annotations

from typing import get_args

import pytest

from state_engine.deadman import TABLE, Act, Event, State, Switch

EXPECTED: dict[str, dict[str, tuple[State, Act]]] = {
    "idle": {"arm": ("armed", "wait"), "confirm": ("idle", "refuse")},
    "armed": {
        "arm": ("armed", "refuse"),
        "confirm": ("confirmed", "nothing"),
        "expire": ("reverting", "revert"),
        "start": ("armed", "wait"),
    },
    "reverting": {
        "arm": ("reverting", "refuse"),
        "confirm": ("reverting", "refuse"),
        "start": ("reverting", "revert"),
        "done": ("reverted", "nothing"),
    },
    "confirmed": {"arm": ("armed", "wait")},
    "reverted": {"arm": ("armed", "wait"), "confirm": ("reverted", "refuse")},
}


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("event", get_args(Event))
def test_each_state_answers_each_event(state: State, event: Event) -> None:
    """What is not said here changes nothing."""
    after, act = Switch(state, "op").on(event)
    assert (after.state, act) == EXPECTED[state].get(event, (state, "nothing"))
    assert after.operation_id == "op"


def test_the_table_is_whole() -> None:
    assert set(TABLE) == {(state, event) for state in get_args(State) for event in get_args(Event)}


def test_only_an_expired_change_goes_back_and_a_confirmed_one_never_does() -> None:
    """From no state is there a way from confirmed to a revert without arming anew."""
    reverts = {key for key, (_, act) in TABLE.items() if act == "revert"}
    assert reverts == {("armed", "expire"), ("reverting", "start")}
    assert {after for (before, _), (after, _) in TABLE.items() if before == "confirmed"} == {
        "confirmed",
        "armed",
    }


def test_a_switch_is_armed_for_one_operation_at_a_time() -> None:
    """The same one goes on, after a crash for example; another one is refused."""
    armed, act = Switch("confirmed", "old").armed_for("new", 5.0)
    assert (armed, act) == (Switch("armed", "new", 5.0), "wait")
    assert armed.undecided
    assert armed.armed_for("new") == (armed, "wait")
    assert armed.armed_for("other") == (armed, "refuse")
    reverting = Switch("reverting", "new")
    assert reverting.armed_for("new") == (reverting, "refuse")
    assert not Switch("reverted").undecided
