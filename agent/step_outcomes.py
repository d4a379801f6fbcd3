"""What became of a step, as it passes from the engine's thread to the journal."""

from __future__ import annotations

import msgspec

from protocol import reports
from protocol.messages import StepOutcome
from protocol.reasons import Reason
from protocol.reports import ApplyResult, DriftRecord, PlanResult
from state_engine.model import Snapshot


class Done(msgspec.Struct, frozen=True):
    """What became of a step: its outcome, its document, and the snapshot if that changed.

    `pending` is how the modules that the step was offered differ from what is applied.
    """

    outcome: StepOutcome
    document: PlanResult | ApplyResult | DriftRecord | None = None
    digest: str = ""
    message: str = ""
    snapshot: Snapshot | None = None
    reason: Reason | None = None
    pending: tuple[reports.ResourceDiff, ...] | None = None
