"""What hosts remember of this event log, held against it: a restored or rewritten one is found."""

from __future__ import annotations

from coordinator.store import audit
from coordinator.store.audit import Search
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from protocol.audit_journals import Seen

CONTRADICTED = "audit.contradicted"


def host_saw(tx: Tx, host: Principal, scope: str, seen: Seen) -> None:
    """Write a critical line if a host was shown something else than this log holds."""
    tail = audit.tail(tx)
    held = audit.hash_at(tx, seen.seq)
    pruned = seen.seq <= tail.seq and held is None
    if held == seen.hash or pruned:
        return
    what = "ends before it" if seen.seq > tail.seq else "has another line there"
    text = f"host {host.name or host.id} was shown line {seen.seq} of an event log; this one {what}"
    said = audit.find(tx, Search(agent=(host.id,), event_type=CONTRADICTED), None, 1)
    # The host says it at every link; one line of the same is enough.
    if not said or said[0].summary != text:
        tx.emit(NewEvent(CONTRADICTED, scope, host, host, text, "critical"))
