"""How a command's answers are put into words and groups."""

from __future__ import annotations

import pytest

from client.render import executions
from protocol.api_commands import Execution
from protocol.commands import Ending
from protocol.executions import ExecutionStatus


def one(
    name: str,
    code: int | None = 0,
    *,
    ending: Ending | None = "exited",
    output: str | None = None,
    status: ExecutionStatus = "completed",
    reason: str | None = None,
) -> Execution:
    return Execution(
        name, "c", name, None, "true", None, None, None, status, code, output, False, None, None,
        None, "", "", name, ending, reason,
    )  # fmt: skip


def test_failures_come_last_and_the_largest_group_first() -> None:
    """Equal ends and equal output are one."""
    found = executions.grouped(
        [one("d", 1), one("b"), one("a"), one("c", output="x"), one("e", 1, output="x")]
    )
    assert [group.hosts for group in found] == [("a", "b"), ("c",), ("d",), ("e",)]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (one("a", 3), "exit 3"),
        (one("a", 143), "exit 143"),
        (one("a", 124, ending="timeout"), "out of time (124)"),
        (one("a", 143, ending="cancelled", status="cancelled"), "cancelled (143)"),
        (one("a", None, ending="interrupted"), "interrupted: the agent ended"),
        (one("a", None, ending=None, reason="policy_user"), "completed: policy_user"),
        (one("a", None, ending=None, status="expired"), "expired"),
    ],
)
def test_every_end_has_words(shown: Execution, text: str) -> None:
    """Our own 124 and 143 are told from a script's."""
    assert executions.ended(shown).startswith(text)
    assert not executions.went_well(shown)
