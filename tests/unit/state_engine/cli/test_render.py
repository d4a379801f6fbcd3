"""Plans, results and drift as text."""

from __future__ import annotations

from protocol.reports import (
    ApplyResult,
    Change,
    PlanResult,
    PlanSummary,
    ResourceDiff,
    ResourceResult,
    Trigger,
)
from state_engine.cli import render

ITEM = ResourceDiff("base", "file-unix", "/etc/motd", "update",
                    changes=(Change("content", "a", "b", diff=("--- x", "-old", "+new")),
                             Change("mode", None, "0644")))  # fmt: skip


def plan(*items: ResourceDiff, **counts: int) -> str:
    result = PlanResult("n", ("base",), items, PlanSummary(**counts))
    return render.plan(result, colour=False)


def test_a_plan_is_readable_and_ends_in_one_summary_line() -> None:
    """Marks, fields, real diffs."""
    assert plan(ITEM, create=2, update=1).splitlines() == [
        "~ update file-unix /etc/motd  [base]",
        "    --- x",
        "    -old",
        "    +new",
        "    mode: (none) -> 0644",
        "Plan: 2 to add, 1 to change, 0 to remove.",
    ]


def test_each_action_has_its_mark_and_what_is_right_is_not_shown() -> None:
    """One line each; the summary names what is not ordinary."""
    items = [ResourceDiff("b", "script", "s", action) for action in render.MARKS]
    text = plan(*items, run=1, unknown=1, error=1)
    assert [line[0] for line in text.splitlines()[:-1]] == ["+", "~", "-", "!", "!", "!"]
    assert text.endswith("0 to remove, 1 to run, 1 unknown, 1 in error.")


def test_colour_only_when_asked() -> None:
    """And then in marks and diffs."""
    assert "\x1b" not in plan(ITEM)
    result = PlanResult("n", (), (ITEM,), PlanSummary(update=1))
    assert render.plan(result, colour=True).count("\x1b[0m") == 4


def test_nothing_shown_can_drive_the_terminal() -> None:
    """Escape sequences in names, messages, values and diffs are spelled out."""
    evil = "\x1b[2J\x07\n\u202eevil"
    item = ResourceDiff(
        evil, "file-unix", evil, "update", message=evil,
        changes=(Change("content", diff=("+" + evil,)), Change("owner", evil, evil)),
        triggers=(Trigger("rerun", (evil,)),),
    )  # fmt: skip
    result = ResourceResult(evil, "script", evil, "run", "failed", error=evil)
    applied = ApplyResult("o", "n", (), "failed", 0, 0, (result,), error=evil)
    text = plan(item) + render.applied(applied) + render.drift((item,), colour=False)
    assert all(line.isprintable() for line in text.splitlines())
    assert text.count("evil") == text.count("\\u202eevil")


def test_results_leave_out_what_did_not_change() -> None:
    """Failures come with their reason, and all are counted."""
    results = (
        ResourceResult("b", "file-unix", "/a", "none", "unchanged"),
        ResourceResult("b", "file-unix", "/b", "update", "changed", 12),
        ResourceResult("b", "file-unix", "/c", "update", "failed", 3, error="no space"),
    )
    text = render.applied(ApplyResult("o", "n", ("b",), "failed", 0, 0, results))
    assert text.splitlines() == [
        "changed     file-unix /b  [b]  (12 ms)",
        "failed      file-unix /c  [b]  (3 ms): no space",
        "Apply failed: 1 changed, 0 removed, 1 failed, 1 unchanged.",
    ]


def test_triggers_say_because_of_what() -> None:
    """Also where only the pending mark is left."""
    item = ResourceDiff("b", "script", "s", "run",
                        triggers=(Trigger("rerun", ("conf",)), Trigger("rerun", ())))  # fmt: skip
    lines = render.item_lines(item, colour=False)
    assert lines[1:] == ["    rerun because of: conf", "    rerun because of: an earlier apply"]


def test_drift_counts_in_words() -> None:
    """One resource differs, two differ."""
    assert render.drift((), colour=False) == "Drift: 0 resources differ from what was applied."
    assert render.drift((ITEM,), colour=False).endswith(
        "Drift: 1 resource differs from what was applied."
    )
