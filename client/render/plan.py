"""A plan and a drift record as lines: symbols, real diff lines, each change once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from client.render.grouping import MASK, Group, Totals, group, totals
from client.render.output import Line, Span, line
from client.render.safe_text import safe_diff
from client.render.times import iso
from client.render.words import counted
from protocol.reports import Action, Change, DriftRecord, ResourceDiff

_SYMBOLS: dict[Action, tuple[str, str]] = {
    "create": ("+", "add"),
    "update": ("~", "change"),
    "run": ("~", "change"),
    "remove": ("-", "remove"),
    "unknown": ("!", "warn"),
    "error": ("!", "warn"),
    "none": ("=", "dim"),
}
_DRIFT_WORDS: dict[Action, str] = {
    "create": "is gone",
    "update": "changed outside",
    "remove": "appeared outside",
    "run": "would run again",
    "unknown": "could not be looked at",
    "error": "could not be looked at",
    "none": "as applied",
}
# Names after "on": more than this would push the plan itself off the screen.
MAX_NAMES = 8
# The message of a script that runs for no other reason than its triggers.
TRIGGERED = "triggered"


def plan_lines(plans: Mapping[str, tuple[ResourceDiff, ...]]) -> list[Line]:
    """Return the body of a plan over hosts (by label) and its summary line.

    On one host every line is about that host: neither their number nor its name is repeated.
    """
    groups = group(plans)
    sums = totals(plans)
    shown: list[Line] = []
    width = max((len(_count(len(one.hosts))) for one in groups), default=0) if len(plans) > 1 else 0
    for one in groups:
        shown += _group_lines(one, width, of=len(plans))
    if sums.unchanged:
        margin = " " * (width + 2) if width else ""
        text = f"{margin}= {counted(sums.unchanged, 'resource')} unchanged"
        shown.append(line(Span(text, "dim")))
    return [*shown, line(""), line(Span(summary(sums), "bold"))]


def summary(sums: Totals) -> str:
    """Return the one line that says it all."""
    if not sums.hosts:
        return "No host gave a plan."
    hosts = _count(sums.hosts)
    tail = ""
    if sums.unknown:
        tail = f" {sums.unknown} could not be looked at."
    if not (sums.add or sums.change or sums.remove or sums.run):
        return f"No changes on {hosts}.{tail}"
    run = f", {sums.run} to run" if sums.run else ""
    return (
        f"Plan: {sums.add} to add, {sums.change} to change, {sums.remove} to remove{run} on "
        f"{hosts}.{tail}"
    )


def drift_lines(
    record: DriftRecord, label: str, when: str, at: Callable[[float], str] = iso
) -> list[Line]:
    """Return a drift record: each resource that is no longer as it was applied, and by whom.

    `at` says a time in seconds since the epoch for a person.
    """
    drifted = [item for item in record.resources if item.action != "none"]
    head = f"{label}: {record.status.replace('_', ' ')}, looked at {when} ({record.source})"
    shown = [line(Span(head, "bold"))]
    if record.message:
        shown.append(line(f"  {record.message}"))
    for item in drifted:
        words = _DRIFT_WORDS[item.action]
        shown.append(line("  ", Span(f"! {_title(item)}  {words}", "warn")))
        if (told := _changed(item, at)) is not None:
            shown.append(line(f"      {told}"))
        shown += _detail_lines(item, "      ")
    for one in record.repaired:
        text = f"  = {one.type}  {one.identity}  [{one.module}]  "
        if one.status in {"changed", "unchanged"}:
            shown.append(line(text, Span("put right by the host itself", "add")))
        else:
            shown.append(line(text, Span(f"not put right: {one.error or one.status}", "warn")))
    if record.pending:
        shown.append(line("  pending: what was applied is not what is desired by now"))
    for item in record.pending:
        symbol, style = _SYMBOLS[item.action]
        shown.append(line("  ", Span(f"{symbol} {_title(item)}", style)))
    return shown


def _changed(item: ResourceDiff, at: Callable[[float], str]) -> str | None:
    """Return when and by whom, as far as it is known."""
    if item.changed_at is None:
        return None
    words = f"changed {at(item.changed_at)}"
    return words if item.changed_by is None else f"{words} by {item.changed_by}"


def _group_lines(one: Group, width: int, of: int) -> list[Line]:
    symbol, style = _SYMBOLS[one.item.action]
    title = Span(f"{symbol} {_title(one.item)}", style)
    if not width:
        return [line(title), *_detail_lines(one.item, " " * 4)]
    shown = [line(f"{_count(len(one.hosts)):{width}}  ", title)]
    indent = " " * (width + 6)
    if len(one.hosts) < of:
        shown.append(line(indent, Span(f"on {_names(one.hosts)}", "dim")))
    return [*shown, *_detail_lines(one.item, indent)]


def _detail_lines(item: ResourceDiff, indent: str) -> list[Line]:
    shown: list[Line] = []
    for change in item.changes:
        shown += _change_lines(change, indent)
    for trigger in item.triggers:
        shown.append(line(f"{indent}{trigger.kind} because of {', '.join(trigger.because)}"))
    # `triggered` says nothing beside the line that says by what.
    if item.message and not (item.triggers and item.message == TRIGGERED):
        style = "warn" if item.action in {"unknown", "error"} else ""
        shown.append(line(indent, Span(item.message, style)))
    return shown


def _change_lines(change: Change, indent: str) -> list[Line]:
    if change.sensitive and not change.redacted:
        return [line(f"{indent}{change.field}: {MASK}")]
    if change.diff:
        head = line(f"{indent}{change.field}:")
        # The names of old and new come first; below them `---` may be a removed line.
        names = 2 if change.diff[0].startswith("--- ") else 0
        return [
            head,
            *(line(f"{indent}  ", Span(safe_diff(text), "dim")) for text in change.diff[:names]),
            *(_diff_line(text, indent + "  ") for text in change.diff[names:]),
        ]
    if change.current is None:
        return [line(f"{indent}{change.field}: ", Span(_value(change.desired), "add"))]
    return [line(f"{indent}{change.field}: {_value(change.current)} -> {_value(change.desired)}")]


def _diff_line(text: str, indent: str) -> Line:
    style = {"+": "add", "-": "remove", "@": "dim"}.get(text[:1], "")
    return line(indent, Span(safe_diff(text), style))


def _title(item: ResourceDiff) -> str:
    name = f" ({item.name})" if item.name else ""
    return f"{item.type}  {item.identity}{name}  [{item.module}]"


def _value(text: str | None) -> str:
    return "(nothing)" if text is None else (text or '""')


def _names(hosts: Sequence[str]) -> str:
    if len(hosts) <= MAX_NAMES:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:MAX_NAMES])} and {len(hosts) - MAX_NAMES} more"


def _count(hosts: int) -> str:
    return counted(hosts, "host")
