"""What a run is and where it stands, as values; `protocol.runs` says how they change."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from protocol.api import RunPhase, StepPhase
from protocol.errors import LocalProtocolError
from protocol.messages import StepKind

_HELD: frozenset[StepPhase] = frozenset({"offered", "accepted", "running"})


class RunDefinition(msgspec.Struct, frozen=True):
    """What was asked for, frozen at the start; times are seconds since the epoch.

    `deadline` is when whatever has not begun will not begin. An apply with `plan_run_id` has its
    plans already. At most `max_parallel` hosts are at work at once (0: all), and once more than
    `max_failures` of them have failed the rest does not begin.
    """

    run_id: str
    step: StepKind
    nodes: tuple[str, ...]
    deadline: float
    plan_run_id: str | None = None
    max_parallel: int = 0
    max_failures: int | None = None


class StepState(msgspec.Struct, frozen=True):
    """One host's part: `fence` is the last offer's, `confirmed` the last that the host used.

    `cancelling`: an operator wants this host to stop, whatever the others do.
    """

    phase: StepPhase = "pending"
    fence: int = 0
    confirmed: int = 0
    lease: str = ""
    lease_expires: float = 0.0
    finished_at: float | None = None
    reason: str | None = None
    message: str = ""
    artifact: str | None = None
    digest: str = ""
    cancelling: bool = False


class RunState(msgspec.Struct, frozen=True):
    """Where a run stands; `cancelling` says that an operator wants it to stop."""

    phase: RunPhase
    steps: Mapping[str, StepState]
    plan_run_id: str | None = None
    decision_id: str | None = None
    cancelling: bool = False
    finished_at: float | None = None
    reason: str | None = None
    message: str = ""

    @property
    def live(self) -> bool:
        """Whether steps may move: before the run is decided there is nothing a host may do."""
        return self.phase in {"queued", "running"}

    def at_work(self, now: float) -> int:
        """Return how many hosts hold a step under a lease; one that stays away holds up nobody."""
        return sum(step.phase in _HELD and step.lease_expires > now for step in self.steps.values())


def initial(definition: RunDefinition) -> RunState:
    """Return the state of a run before any event.

    Raises:
        LocalProtocolError: the run names no node, or one twice.
    """
    if not definition.nodes or len(set(definition.nodes)) != len(definition.nodes):
        raise LocalProtocolError("a run names at least one node, and each once")
    phase: RunPhase = "queued"
    if definition.step == "state.apply":
        phase = "planning"
    elif definition.step == "command.run":
        # There is nothing to plan: the command is there, and waits for its signature.
        phase = "waiting_approval"
    steps = dict.fromkeys(definition.nodes, StepState())
    return RunState(phase, steps, plan_run_id=definition.plan_run_id)
