"""What hosts found when they looked whether anything had changed since their last apply."""

from __future__ import annotations

from coordinator.domain import agents
from coordinator.domain.refusals import Refusal, not_found
from coordinator.store import drifts
from coordinator.store.database import Tx
from protocol.api import DriftPage
from protocol.reports import DriftRecord, DriftStatus

# Published: 50 records unless asked otherwise, 500 at most.
MAX_LIMIT = 500


def page(
    tx: Tx, node_id: str, limit: int = 50, status: DriftStatus | None = None
) -> DriftPage | Refusal:
    """Return a host's drift records, newest first."""
    known = agents.get(tx, node_id)
    if isinstance(known, Refusal):
        return known
    return DriftPage(drifts.listing(tx, node_id, limit=min(limit, MAX_LIMIT), status=status))


def latest(tx: Tx, node_id: str) -> DriftRecord | Refusal | None:
    """Return a host's newest drift record, or None if it never looked."""
    found = page(tx, node_id, 1)
    if isinstance(found, Refusal):
        return found
    return found.records[0] if found.records else None


def get(tx: Tx, drift_id: str) -> DriftRecord | Refusal:
    """Return one drift record."""
    return drifts.get(tx, drift_id) or not_found("drift record", drift_id)
