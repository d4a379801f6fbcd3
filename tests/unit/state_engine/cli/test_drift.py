"""standfast-state drift."""

from __future__ import annotations

import json

from tests.unit.state_engine.cli.desk import Desk, desk

__all__ = ["desk"]


def test_drift_is_told_and_not_repaired(desk: Desk) -> None:
    """Exit 6 if asked for; the file stays as someone left it."""
    desk.module()
    desk.run("apply", "--yes")
    assert desk.run("drift", "--detailed-exitcode", paths=False)[0] == 0
    desk.target.write_text("edited\n", encoding="utf-8")
    code, text = desk.run("drift", "--detailed-exitcode")
    assert code == 6
    assert "-edited" in text
    assert desk.target.read_text(encoding="utf-8") == "edited\n"
    code, text = desk.run("drift", "--json")
    record = json.loads(text)
    assert (code, record["status"], len(record["resources"])) == (0, "drifted", 1)
    assert record["snapshot_operation_id"]


def test_a_changed_module_is_no_drift(desk: Desk) -> None:
    """Drift is about what was applied."""
    desk.module("v1")
    desk.run("apply", "--yes")
    desk.module("v2")
    assert desk.run("drift", "--detailed-exitcode")[0] == 0


def test_paths_limit_the_look_to_their_modules(desk: Desk) -> None:
    """Another module's file is not looked at."""
    desk.module()
    desk.run("apply", "--yes")
    desk.target.unlink()
    desk.write("name: other\nsupports: [{}]\n")
    assert desk.run("drift", "--detailed-exitcode")[0] == 0
    assert desk.run("drift", "--detailed-exitcode", paths=False)[0] == 6


def test_what_cannot_be_seen_is_exit_1(desk: Desk) -> None:
    """Something else in the file's place; a bad module file."""
    desk.module()
    desk.run("apply", "--yes")
    desk.target.unlink()
    desk.target.mkdir()
    code, text = desk.run("drift", "--json", paths=False)
    assert (code, json.loads(text)["status"]) == (1, "failed")
    desk.write("name: [")
    assert desk.run("drift")[0] == 1
