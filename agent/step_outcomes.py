"""What became of a step, as it passes from the engine's thread to the journal."""

from __future__ import annotations

import msgspec

from protocol import reports
from protocol.commands import CommandResult
from protocol.messages import StepKind, StepOutcome
from protocol.reasons import Reason
from protocol.reports import ApplyResult, DriftRecord, PlanResult, ResourceResult
from state_engine.model import Snapshot

# Text of one error in a journal entry: 256 entries of this fit two batches.
MAX_ERROR = 4_096
# What each step's result document is called among artifacts.
KINDS: dict[StepKind, str] = {
    "state.plan": "plan",
    "state.apply": "apply",
    "state.drift": "drift",
    "command.run": "command",
}
# Causes of one item in a journal entry: 16 addresses of 4 KiB are an eighth of a batch.
MAX_TRIGGERED = 16


class Done(msgspec.Struct, frozen=True):
    """What became of a step: its outcome, its document, and the snapshot if that changed.

    `pending` is how the modules that the step was offered differ from what is applied.
    """

    outcome: StepOutcome
    document: PlanResult | ApplyResult | DriftRecord | CommandResult | None = None
    digest: str = ""
    message: str = ""
    snapshot: Snapshot | None = None
    reason: Reason | None = None
    pending: tuple[reports.ResourceDiff, ...] | None = None


def apply_outcome(result: ApplyResult) -> tuple[StepOutcome, str, Reason | None]:
    """Return outcome, a line about it, and a reason if there is one, from an apply's result."""
    statuses = [item.status for item in result.resources]
    if "interrupted" in statuses:
        return "interrupted", "an item was running when the agent ended; it is not run again", None
    if "stale" in statuses:
        count = statuses.count("stale")
        items = "1 item is" if count == 1 else f"{count} items are"
        text = f"{items} not in the state that was approved"
        return "failed", f"{Reason.PLAN_CHANGED}: {text}", Reason.PLAN_CHANGED
    match result.status:
        case "succeeded":
            return "succeeded", "", None
        case "cancelled":
            return "cancelled", "", None
        case "failed" | "running" | "interrupted":
            return "failed", result.error or "", None


def bounded_result(result: ResourceResult) -> ResourceResult:
    """Return a result that fits a journal entry; the artifact keeps the whole of it."""
    triggered = result.triggered[:MAX_TRIGGERED]
    error = result.error
    if error is not None and len(error) > MAX_ERROR:
        error = error[:MAX_ERROR] + "…"
    return msgspec.structs.replace(result, error=error, triggered=triggered)
