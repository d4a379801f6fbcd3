"""What can happen to a run, as values; `protocol.runs` says what follows from each.

Every event carries `at`, whole or broken seconds since the epoch by the coordinator's clock.
A `fence` is the number of the offer that a report of the host belongs to.
"""

from __future__ import annotations

import msgspec

from protocol.messages import StepOutcome


class PlanRequested(msgspec.Struct, frozen=True, tag=True):
    """A plan run was made for an apply that came without one."""

    at: float
    plan_run_id: str


class Planned(msgspec.Struct, frozen=True, tag=True):
    """All plans are there; `bound` are the nodes on which there is something to do."""

    at: float
    bound: tuple[str, ...]


class PlanFailed(msgspec.Struct, frozen=True, tag=True):
    """A plan could not be made, so there is nothing to approve."""

    at: float
    reason: str
    message: str = ""


class Approved(msgspec.Struct, frozen=True, tag=True):
    """A decision that holds says yes, with as many signatures as are needed."""

    at: float
    decision_id: str


class Denied(msgspec.Struct, frozen=True, tag=True):
    """A decision that holds says no."""

    at: float
    decision_id: str
    message: str = ""


class Offered(msgspec.Struct, frozen=True, tag=True):
    """A step was offered to its host under a new fence and a lease until `expires`."""

    at: float
    node: str
    fence: int
    lease: str
    expires: float


class LeaseRenewed(msgspec.Struct, frozen=True, tag=True):
    """The host said that it still holds the lease."""

    at: float
    node: str
    fence: int
    expires: float


class StepAccepted(msgspec.Struct, frozen=True, tag=True):
    """The host verified the offer and will do it."""

    at: float
    node: str
    fence: int


class StepStarted(msgspec.Struct, frozen=True, tag=True):
    """The host began to act."""

    at: float
    node: str
    fence: int


class StepRefused(msgspec.Struct, frozen=True, tag=True):
    """The host did nothing of it, and why (a `Reason` value)."""

    at: float
    node: str
    fence: int
    reason: str
    message: str = ""


class StepFinished(msgspec.Struct, frozen=True, tag=True):
    """The host is done; `artifact` names the result document, `reason` why not all was done."""

    at: float
    node: str
    fence: int
    outcome: StepOutcome
    artifact: str | None = None
    digest: str = ""
    message: str = ""
    reason: str | None = None


class StepWithdrawn(msgspec.Struct, frozen=True, tag=True):
    """The coordinator took back a step that no host holds.

    For an offered step, say this only when the host's journal is stored to its end and the host
    does not hold the lease: else it may be at work on it.
    """

    at: float
    node: str
    message: str = ""


class StepExpired(msgspec.Struct, frozen=True, tag=True):
    """The coordinator gave the step up: it did not begin in time, or its host stays away."""

    at: float
    node: str
    message: str = ""


class CancelRequested(msgspec.Struct, frozen=True, tag=True):
    """An operator wants the run to stop; what hosts hold ends when they say so."""

    at: float
    message: str = ""


class StepCancelRequested(msgspec.Struct, frozen=True, tag=True):
    """An operator wants one host of the run to stop; what it holds ends when it says so."""

    at: float
    node: str
    message: str = ""


class RunExpired(msgspec.Struct, frozen=True, tag=True):
    """The run's deadline passed; what no host holds will not begin."""

    at: float


HostReport = StepAccepted | StepStarted | StepRefused | StepFinished
RunEvent = (
    PlanRequested
    | Planned
    | PlanFailed
    | Approved
    | Denied
    | Offered
    | LeaseRenewed
    | StepAccepted
    | StepStarted
    | StepRefused
    | StepFinished
    | StepWithdrawn
    | StepExpired
    | CancelRequested
    | StepCancelRequested
    | RunExpired
)
