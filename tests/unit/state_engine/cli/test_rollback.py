"""standfast-state rollback."""

from __future__ import annotations

import json

from state_engine.cli import watcher
from state_engine.deadman import Switch
from state_engine.host import switch_file
from state_engine.host.state_directory import StateDirectory
from tests.unit.state_engine.cli.desk import Desk, desk

__all__ = ["desk"]


def applied(desk: Desk, content: str) -> str:
    """Apply a module of one file and return the operation's id."""
    desk.module(content)
    code, text = desk.run("apply", "--yes", "--json")
    assert code == 0
    operation: str = json.loads(text)["operation_id"]
    return operation


def test_the_latest_apply_is_taken_back(desk: Desk) -> None:
    """And then the one before, for a rollback is an operation of its own and named as one."""
    first = applied(desk, "one\n")
    applied(desk, "two\n")
    code, text = desk.run("rollback", "--yes", paths=False)
    assert (code, desk.target.read_text(encoding="utf-8")) == (0, "one\n")
    assert "Apply succeeded: 1 changed" in text
    code, text = desk.run("rollback", first, "--yes", paths=False)
    assert (code, desk.target.exists()) == (0, False)
    assert StateDirectory(desk.state).snapshot().applied == ()


def test_a_plan_of_it_changes_nothing_and_names_the_operation_to_come(desk: Desk) -> None:
    """As text and as JSON."""
    applied(desk, "one\n")
    code, text = desk.run("rollback", "--plan", paths=False)
    assert code == 0
    assert f"remove file-unix {desk.target}" in text
    code, text = desk.run("rollback", "--plan", "--json", paths=False)
    assert (code, json.loads(text)["summary"]["remove"]) == (0, 1)
    assert desk.target.read_text(encoding="utf-8") == "one\n"


def test_what_was_edited_since_stays_and_is_exit_5(desk: Desk) -> None:
    applied(desk, "one\n")
    desk.target.write_text("edited\n", encoding="utf-8")
    code, text = desk.run("rollback", "--yes", paths=False)
    assert (code, desk.target.read_text(encoding="utf-8")) == (5, "edited\n")
    assert "was changed since the operation" in text
    assert desk.run("rollback", "--plan", paths=False)[0] == 1


def test_without_a_yes_or_an_operation_nothing_is_done(desk: Desk) -> None:
    """Wrong usage, and an error."""
    code, text = desk.run("rollback", paths=False)
    assert (code, "--yes" in text) == (2, True)
    code, text = desk.run("rollback", "--yes", paths=False)
    assert (code, "no apply is kept" in text) == (1, True)
    code, text = desk.run("rollback", "nosuch", "--yes", paths=False)
    assert (code, "nosuch" in text) == (1, True)


def test_what_a_command_did_stays_and_is_told(desk: Desk) -> None:
    desk.module(more="  - id: s\n    resource: {script: {program: sh, apply: 'true'}}\n")
    assert desk.run("apply", "--yes")[0] == 0
    code, text = desk.run("rollback", "--yes", paths=False)
    assert (code, desk.target.exists()) == (0, False)
    assert "script s stays: it did more than change files" in text


def test_an_unconfirmed_apply_that_is_not_wholly_back_still_goes_back(desk: Desk) -> None:
    """The watcher of `--confirm-within` is told that it is over only where it is."""
    operation = applied(desk, "one\n")
    state = StateDirectory(desk.state)
    switch_file.save(state.path, Switch("armed", operation, 0.0))
    desk.target.write_text("edited\n", encoding="utf-8")
    assert desk.run("rollback", "--yes", paths=False)[0] == 5
    assert switch_file.load(state.path).state == "armed"
    assert watcher.watch(state, operation) is True
    assert not desk.target.exists()
    switch_file.save(state.path, Switch("armed", operation, 0.0))
    assert desk.run("rollback", operation, "--yes", paths=False)[0] == 0
    assert switch_file.load(state.path).state == "reverted"
