"""Runs that take an operation back: which operation, on which host.

What that would do is the host's to say, in a plan that is approved like any other.
"""

from __future__ import annotations

from coordinator.domain.refusals import Refusal, invalid, not_found
from coordinator.store import runs
from coordinator.store.database import Tx
from protocol import api


def refusal(tx: Tx, request: api.RunRequest, nodes: tuple[str, ...]) -> Refusal | None:
    """Return why a request cannot take an operation back; None if it can, or does not ask."""
    of = request.rollback_of
    if of is None:
        return None
    if request.step == "state.drift":
        return invalid("rollback_of", "a drift look takes nothing back")
    if request.modules:
        return invalid("modules", "an operation is taken back whole: name no modules")
    operation = runs.operation(tx, of, "state.apply")
    if operation is None:
        return not_found("operation", of)
    if nodes != (operation.node_id,):
        return invalid("nodes", f"operation {of} was on {operation.node_id} alone")
    return None
