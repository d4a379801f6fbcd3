"""standfast-state apply --confirm-within, and confirm."""

from __future__ import annotations

import os

from state_engine.host import switch_file
from tests.unit.state_engine.cli.desk import Desk, desk

__all__ = ["desk"]


def ended() -> int:
    """Wait for the watcher that an apply of this process has started; return how it ended."""
    return os.waitpid(-1, 0)[1]


def test_what_is_confirmed_stays(desk: Desk) -> None:
    """The watcher sees it, and goes without a trace."""
    desk.module()
    code, text = desk.run("apply", "--yes", "--confirm-within", "60")
    assert (code, "standfast-state confirm" in text) == (0, True)
    assert switch_file.load(desk.state).window == 60
    assert desk.run("confirm", paths=False)[0] == 0
    assert ended() == 0
    assert desk.target.exists()
    code, text = desk.run("confirm", paths=False)
    assert (code, "no apply waits" in text) == (1, True)


def test_what_nobody_confirms_goes_back(desk: Desk) -> None:
    """Then a confirmation comes too late, and the next apply is free."""
    desk.target.write_text("before\n", encoding="utf-8")
    desk.module()
    assert desk.run("apply", "--yes", "--confirm-within", "1")[0] == 0
    assert ended() == 0
    assert desk.target.read_text(encoding="utf-8") == "before\n"
    code, text = desk.run("confirm", paths=False)
    assert (code, "too late" in text) == (1, True)
    assert desk.run("apply", "--yes")[0] == 0


def test_an_apply_waits_until_the_one_before_is_decided(desk: Desk) -> None:
    """Also after a reboot, when nobody watches any more; a rollback decides it as well."""
    desk.module()
    assert desk.run("apply", "--yes", "--confirm-within", "60")[0] == 0
    code, text = desk.run("apply", "--yes")
    assert (code, "waits for a decision" in text) == (1, True)
    assert desk.run("rollback", "--yes", paths=False)[0] == 0
    assert ended() == 0
    assert not desk.target.exists()
    assert desk.run("apply", "--yes")[0] == 0
