"""standfast-state apply."""

from __future__ import annotations

import json
import os
import signal

import msgspec
import pytest

from state_engine.cli.apply import Stop, exit_code
from state_engine.engine.progress import Started
from state_engine.host.state_directory import StateDirectory
from state_engine.model import AppliedResource
from tests.fakes.resources import a_file, resource
from tests.unit.state_engine.cli.desk import Desk, desk

__all__ = ["desk"]


def test_apply_then_nothing_is_left(desk: Desk) -> None:
    """The file is there, the plan after it is empty."""
    desk.module()
    code, text = desk.run("apply", "--yes")
    assert (code, desk.target.read_text(encoding="utf-8")) == (0, "hello\n")
    assert "Apply succeeded: 1 changed, 0 removed, 0 failed." in text
    assert desk.run("plan", "--detailed-exitcode")[0] == 0


def test_without_yes_and_without_a_terminal_nothing_is_done(desk: Desk) -> None:
    """There is nobody to ask: wrong usage."""
    desk.module()
    code, text = desk.run("apply")
    assert (code, desk.target.exists()) == (2, False)
    assert "--yes" in text


def test_what_is_in_no_module_any_more_is_removed_and_overwritten_files_come_back(
    desk: Desk,
) -> None:
    """The original content, from the kept copy."""
    desk.target.write_text("original", encoding="utf-8")
    desk.module()
    assert desk.run("apply", "--yes")[0] == 0
    assert desk.target.read_text(encoding="utf-8") == "hello\n"
    desk.module(path=str(desk.root / "other"))
    code, text = desk.run("apply", "--yes")
    assert (code, desk.target.read_text(encoding="utf-8")) == (0, "original")
    assert "1 removed" in text


def test_a_failing_resource_is_exit_5(desk: Desk) -> None:
    """And the message is there, in text and in JSON."""
    desk.module(
        more="  - id: s\n    resource: {script: {program: sh, apply: 'echo no >&2; exit 3'}}\n"
    )
    code, text = desk.run("apply", "--yes")
    assert code == 5
    assert "exit 3: no" in text
    code, text = desk.run("apply", "--yes", "--json")
    result = json.loads(text)
    assert (code, result["status"]) == (5, "failed")
    assert result["output"]["base/s"]["apply"]["exit"] == 3


def test_two_applies_at_once_are_refused(desk: Desk) -> None:
    """The second one ends with an error and touches nothing."""
    desk.module()
    with StateDirectory(desk.state).locked():
        code, text = desk.run("apply", "--yes")
    assert (code, desk.target.exists()) == (1, False)
    assert "another apply" in text


def test_an_apply_that_was_killed_is_taken_into_account(desk: Desk) -> None:
    """Its journal says that we created the file, so the next one may remove it."""
    path = str(desk.target)
    desk.target.write_text("hello\n", encoding="utf-8")
    spec = a_file(path, "hello\n")
    state = StateDirectory(desk.state)
    with state.journalling() as journal:
        started = Started(spec.key, "", AppliedResource(spec, created=True))
        journal.add(msgspec.json.encode(started))
    desk.module(path=str(desk.root / "other"))
    assert "- remove file-unix" in desk.run("plan")[1]
    assert desk.run("apply", "--yes")[0] == 0
    assert not desk.target.exists()
    assert state.journal() == []


def test_a_damaged_snapshot_stops_everything(desk: Desk) -> None:
    """Nothing is guessed."""
    desk.module()
    assert desk.run("apply", "--yes")[0] == 0
    (desk.state / "snapshot.json").write_bytes(b"{}}")
    for command in ("plan", "drift"):
        assert desk.run(command)[0] == 1
    assert desk.run("apply", "--yes")[0] == 1


def test_a_signal_asks_to_stop_and_a_second_one_insists() -> None:
    """In order first; handlers are put back."""
    stop = Stop()
    before = signal.getsignal(signal.SIGINT)
    with stop.listening():
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_exit_codes() -> None:
    """One table."""
    from protocol.reports import ApplyResult, OperationStatus

    table: list[tuple[OperationStatus, int]] = [
        ("succeeded", 0), ("failed", 5), ("cancelled", 130), ("interrupted", 5)
    ]  # fmt: skip
    for status, code in table:
        assert exit_code(ApplyResult("o", "n", (), status, 0, 0)) == code


def test_an_unknown_kind_in_the_snapshot_is_forgotten(desk: Desk) -> None:
    """A newer version wrote it; this one cannot remove it and says so."""
    from state_engine.model import Snapshot

    held = AppliedResource(resource("future-kind", "x", {}))
    StateDirectory(desk.state).save_snapshot(Snapshot("op", ("base",), (held,)))
    desk.module()
    assert "is not known here" in desk.run("apply", "--yes")[1]
