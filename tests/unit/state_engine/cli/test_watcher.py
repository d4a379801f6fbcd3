"""The process that takes back what nobody confirms."""

from __future__ import annotations

import os
from contextlib import ExitStack

import msgspec

from state_engine.cli import watcher
from state_engine.deadman import Switch
from state_engine.engine.progress import Started
from state_engine.host import switch_file
from state_engine.host.state_directory import StateDirectory
from state_engine.model import AppliedResource
from tests.fakes.resources import a_file
from tests.unit.state_engine.cli.desk import Desk, desk

__all__ = ["desk"]


def test_it_waits_for_the_apply_to_end(desk: Desk) -> None:
    """The time does not run while the state directory is in use."""
    state = StateDirectory(desk.state)
    switch_file.save(state.path, Switch("armed", "op"))
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            switch_file.save(state.path, Switch("confirmed", "op"))
            lock.close()

    with ExitStack() as lock:
        lock.enter_context(state.locked())
        assert watcher.watch(state, "op", pause) is False
    assert pauses == [watcher.PAUSE] * 3


def test_an_apply_that_was_killed_goes_back_whole(desk: Desk) -> None:
    """What it had told of its progress is in the snapshot no more."""
    desk.module()
    assert desk.run("apply", "--yes")[0] == 0
    state = StateDirectory(desk.state)
    [operation] = [path.stem for path in (desk.state / "reverts").iterdir()]
    record = AppliedResource(a_file(str(desk.target)))
    with state.journalling() as journal:
        journal.add(msgspec.json.encode(Started(record.resource.key, "d", record)))
    switch_file.save(state.path, Switch("armed", operation, 0.0))
    assert watcher.watch(state, operation) is True
    assert not desk.target.exists()
    assert (state.snapshot().applied, state.journal()) == ((), [])
    assert switch_file.load(state.path).state == "reverted"


def test_a_decision_of_another_operation_is_not_its_business(desk: Desk) -> None:
    state = StateDirectory(desk.state)
    switch_file.save(state.path, Switch("armed", "other", 0.0))
    assert watcher.watch(state, "op") is False
    assert watcher.take_back(state, "op") is False
    with state.locked():
        assert watcher.take_back(state, "other") is False
    assert switch_file.load(state.path).state == "armed"


def test_it_is_a_process_of_its_own_that_ends_by_itself(desk: Desk) -> None:
    """It needs no terminal, and finds the program wherever that was started."""
    state = StateDirectory(desk.state)
    process = watcher.start(state.path, "op")
    assert os.waitpid(process, 0)[1] == 0
