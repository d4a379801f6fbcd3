"""Plans, results and drift as text for people. Values arrive masked; here is only form.

No colour unless the output is a terminal. Text from modules and hosts is stripped of control
characters, so that a file's content cannot drive the terminal it is shown on.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocol.reports import Action, ApplyResult, Change, PlanResult, ResourceDiff, ResourceResult
from state_engine.cli.output import clean

MARKS: dict[Action, str] = {
    "create": "+",
    "update": "~",
    "remove": "-",
    "run": "!",
    "error": "!",
    "unknown": "!",
    "none": " ",
}
_COLOURS = {"+": "32", "~": "33", "-": "31", "!": "35"}
_DIFF_COLOURS = {"+": "32", "-": "31", "@": "36"}


def plan(result: PlanResult, *, colour: bool) -> str:
    """Return a plan: one block for each item that is not as desired, and one summary line."""
    lines = [line for item in result.resources for line in item_lines(item, colour=colour)]
    summary = result.summary
    text = f"Plan: {summary.create} to add, {summary.update} to change, {summary.remove} to remove"
    for number, word in (
        (summary.run, "to run"),
        (summary.unknown, "unknown"),
        (summary.error, "in error"),
    ):
        if number:
            text += f", {number} {word}"
    return "\n".join((*lines, text + "."))


def drift(items: Iterable[ResourceDiff], *, colour: bool) -> str:
    """Return what differs from what was applied, and one summary line."""
    found = tuple(items)
    lines = [line for item in found for line in item_lines(item, colour=colour)]
    noun = "resource differs" if len(found) == 1 else "resources differ"
    return "\n".join((*lines, f"Drift: {len(found)} {noun} from what was applied."))


def item_lines(item: ResourceDiff, *, colour: bool) -> list[str]:
    """Return one item's block; nothing for an item that is as desired."""
    if item.action == "none":
        return []
    mark = MARKS[item.action]
    head = f"{mark} {item.action} {item.type} {clean(item.identity)}  [{clean(item.module)}]"
    if item.message:
        head += f"  ({clean(item.message)})"
    lines = [_paint(head, _COLOURS.get(mark), colour=colour)]
    for change in item.changes:
        lines += _change_lines(change, colour=colour)
    for trigger in item.triggers:
        because = ", ".join(map(clean, trigger.because)) or "an earlier apply"
        lines.append(f"    {trigger.kind} because of: {because}")
    return lines


def result_line(result: ResourceResult) -> str:
    """Return one line for one result."""
    line = f"{result.status:<11} {result.type} {clean(result.identity)}  [{clean(result.module)}]"
    if result.status in {"changed", "removed", "failed"}:
        line += f"  ({result.duration_ms} ms)"
    return f"{line}: {clean(result.error)}" if result.error else line


def applied(result: ApplyResult) -> str:
    """Return the results that are worth a line, and one summary line."""
    lines = [result_line(item) for item in result.resources if item.status != "unchanged"]
    if result.error:
        lines.append(f"Error: {clean(result.error)}")
    counts: dict[str, int] = {}
    for item in result.resources:
        counts[item.status] = counts.get(item.status, 0) + 1
    always = ("changed", "removed", "failed")
    parts = [f"{counts.pop(status, 0)} {status}" for status in always]
    parts += [f"{number} {status}" for status, number in sorted(counts.items())]
    return "\n".join((*lines, f"Apply {result.status}: {', '.join(parts)}."))


def _change_lines(change: Change, *, colour: bool) -> list[str]:
    lines: list[str] = []
    current = "(none)" if change.current is None else clean(change.current)
    desired = "(none)" if change.desired is None else clean(change.desired)
    if not change.diff:
        lines.append(f"    {change.field}: {current} -> {desired}")
    for line in change.diff:
        painted = _paint(clean(line), _DIFF_COLOURS.get(line[:1]), colour=colour)
        lines.append(f"    {painted}")
    return lines


def _paint(text: str, code: str | None, *, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text
