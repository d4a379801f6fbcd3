"""What a machine is believed to hold, from its own last word about it."""

from __future__ import annotations

from coordinator.domain import agents
from coordinator.domain.refusals import Refusal
from coordinator.store import drifts
from coordinator.store.database import Tx
from protocol.reports import MachineState


def machine_state(tx: Tx, node_id: str) -> MachineState | Refusal:
    """Return what a host holds; nothing before its first apply."""
    known = agents.get(tx, node_id)
    if isinstance(known, Refusal):
        return known
    return drifts.state(tx, node_id) or MachineState()
