"""What became of a run, host by host and resource by resource. Pure."""

from __future__ import annotations

import msgspec

from client.node_names import label
from client.render.output import Line, Span, line
from client.render.words import counted
from protocol.api import Run, RunStep
from protocol.reasons import Reason
from protocol.reports import ApplyResult, ResourceResult

_MARKS: dict[str, tuple[str, str]] = {
    "unchanged": ("=", "dim"),
    "changed": ("~", "change"),
    "removed": ("-", "remove"),
    "skipped": ("!", "warn"),
    "stale": ("!", "warn"),
    "interrupted": ("!", "warn"),
    "unknown": ("!", "warn"),
    "failed": ("!", "remove"),
}


def apply_result(step: RunStep) -> ApplyResult | None:
    """Return the apply result that a step carries, or None if there is none to read."""
    if step.result is None:
        return None
    try:
        return msgspec.convert(step.result, ApplyResult)
    except msgspec.ValidationError:
        return None


def run_lines(run: Run) -> list[Line]:
    """Return what each host did of a run, and what to type where something went wrong."""
    shown: list[Line] = []
    for step in run.steps:
        shown += _step_lines(step, run.modules)
    done = sum(step.phase == "succeeded" for step in run.steps)
    hosts = counted(len(run.steps), "host")
    tail = f"Run {run.run_id}: {run.phase}, {done} of {hosts} succeeded."
    return [*shown, line(""), line(Span(tail, "bold"))]


def succeeded(run: Run) -> bool:
    """Say whether every host did everything."""
    return run.phase == "completed" and all(step.phase == "succeeded" for step in run.steps)


def resource_line(result: ResourceResult) -> Line:
    """Return one resource's line."""
    symbol, style = _MARKS[result.status]
    text = f"{symbol} {result.status:<11} {result.type}  {result.identity}  [{result.module}]"
    tail = f"  {result.duration_ms} ms" if result.duration_ms else ""
    error = f"  {result.error}" if result.error else ""
    return line("  ", Span(text, style), tail, error)


def _step_lines(step: RunStep, modules: tuple[str, ...]) -> list[Line]:
    name = label(step.name, step.node_id)
    result = apply_result(step)
    resources = result.resources if result is not None else ()
    counts = ", ".join(
        f"{number} {status}"
        for status in _MARKS
        if (number := sum(one.status == status for one in resources))
    )
    reason = f"  {step.reason}" if step.reason else ""
    message = f": {step.message}" if step.message else ""
    head = line(
        Span(f"{name}  {step.phase}", "bold"), f"  {counts}" if counts else "", reason, message
    )
    shown = [head, *(resource_line(one) for one in resources if one.status != "unchanged")]
    if result is not None and result.error:
        shown.append(line(f"  {result.error}"))
    if step.phase in {"failed", "refused", "interrupted", "expired"}:
        # The host is no longer as it was planned: only a new plan helps.
        again = " ".join(["state plan", name, *(f"--module {module}" for module in modules)])
        changed = step.reason == Reason.PLAN_CHANGED or any(r.status == "stale" for r in resources)
        what = again if changed else f"why {name}"
        shown.append(line(f"  next: standfast {what}"))
    return shown
