"""What a machine is believed to hold, from its own last word about it."""

from __future__ import annotations

import msgspec

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
    held = drifts.state(tx, node_id) or MachineState()
    newest = drifts.listing(tx, node_id, limit=1)
    if not newest:
        return held
    return msgspec.structs.replace(held, drifted=newest[0].resources, pending=newest[0].pending)
