"""What a run would do, as the bytes that a decision covers: an approved plan, or a command."""

from __future__ import annotations

from coordinator.store.runs import StoredRun
from protocol import commands, decisions
from protocol.policy import Capability


def capability(run: StoredRun) -> Capability:
    """Return what a decision on a run is called; one that only reads is told like an apply."""
    return "command.run" if run.definition.step == "command.run" else "state.apply"


def action(run: StoredRun) -> bytes | None:
    """Return the canonical action of a run, None while there is nothing to decide on."""
    details = run.details
    if details.command is not None:
        return commands.action(details.command)
    if details.plan is None:
        return None
    return decisions.apply_action(details.plan.root, details.removal_limit)


def action_hash(run: StoredRun) -> str | None:
    """Return the hash that a decision has to carry, None while there is nothing to decide on."""
    found = action(run)
    return decisions.canonical_hash(found) if found is not None else None
