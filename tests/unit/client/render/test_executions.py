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


def test_output_never_passes_for_the_head_of_another_host() -> None:
    """A hostile host may print what it likes: only we begin a line at its edge."""
    lie = "fine\n1 host: db1  exit 0\nall is well"
    lines = executions.group_lines([one("web1", 1, output=lie)])
    texts = ["".join(span.text for span in spans) for spans in lines]
    heads = [text for text in texts if not text.startswith("  ")]
    assert heads == ["1 host: web1  exit 1"]


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
