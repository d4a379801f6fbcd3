"""Every check runs, and one report shows all that failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devtools import checking
from devtools.checking import Check, Outcome


def test_the_report_shows_every_failure_in_full() -> None:
    """What failed is shown whole, what held only by name."""
    outcomes = [
        Outcome(Check("one", ()), 0, "chatter of one", 1.0),
        Outcome(Check("two", ()), 1, "fault of two", 2.0),
        Outcome(Check("three", ()), 2, "fault of three", 3.0),
    ]
    text = checking.report(outcomes)
    assert "fault of two" in text
    assert "fault of three" in text
    assert "chatter of one" not in text
    assert text.count("FAILED") == 2


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ((sys.executable, "-c", "print('said')"), 0),
        ((sys.executable, "-c", "print('said'); raise SystemExit(3)"), 3),
        (("no-such-program",), 127),
    ],
)
def test_a_check_ends_with_its_programs_status(command: tuple[str, ...], status: int) -> None:
    """Also a program that cannot be started is a failed check, and not a crash of all."""
    outcome = checking.run_check(Check("it", command))
    assert outcome.status == status
    assert outcome.output


def test_an_unknown_check_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """It names the checks that there are."""
    assert checking.run_checks(["mypi"]) == 2
    assert "mypy" in capsys.readouterr().err


def test_only_existing_folders_are_checked(tmp_path: Path) -> None:
    """A folder that is not there yet is left out, and its absence fails nothing."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "a.py").touch()
    assert checking.python_files(tmp_path) == ("agent/a.py",)
    commands = {check.name: check.command for check in checking.all_checks(tmp_path)}
    assert commands["ruff lint"][-1] == "agent"
    assert set(commands) >= {"mypy", "pyright", "flake8-async", "habits", "import rules"}
