"""Repair: what an apply left is put back where it was changed since, without a new decision.

It carries out what was decided before, for resources whose module says `on_drift: repair`, and
nothing else: nothing new is made, nothing is removed. Finding drift is `engine.drift`.
"""

from __future__ import annotations

import msgspec

from protocol.reports import ApplyResult, plan_digest
from state_engine.engine import cancel
from state_engine.engine.apply import consider, status_of
from state_engine.engine.claims import Claims
from state_engine.engine.ledger import Ledger, Settings
from state_engine.engine.machine import machine_state
from state_engine.engine.prepared import memory_of
from state_engine.engine.progress import ApplyOutcome, Report, Resume, ignore
from state_engine.engine.secrets import Secrecy
from state_engine.model import AppliedResource, ResourceKey, Snapshot
from state_engine.ports import Ports


def repairable(snapshot: Snapshot) -> frozenset[ResourceKey]:
    """Return the applied resources that may be put right without being asked."""
    return frozenset(held.resource.key for held in snapshot.applied if _may(held))


def repair(
    operation_id: str,
    node_id: str,
    snapshot: Snapshot,
    ports: Ports,
    *,
    keys: frozenset[ResourceKey],
    progress: Report = ignore,
    cancelled: cancel.CancelCheck = cancel.never,
) -> ApplyOutcome:
    """Bring the named resources back to what was last applied; never raises for one item.

    Of `keys` only those count that `repairable` names. Resources that react to one that was
    repaired (a service that reads its file) act too, whatever they say of drift themselves. The
    snapshot goes on naming the operation that it is of. `progress` as for `apply_plan`.
    """
    memory = memory_of(ports)
    ports.accounts.forget()
    started_at = ports.clock()
    claims = Claims((), snapshot, memory)
    secrecy = Secrecy(ports, (), snapshot.applied)
    settings = Settings(ports, memory, None, progress, cancelled, secrecy, claims)
    ledger = Ledger(snapshot, Resume())
    wanted = keys & repairable(snapshot)
    resources = tuple(held.resource for held in snapshot.applied)
    for held in snapshot.applied:
        key = held.resource.key
        sources = {source for trigger in held.resource.triggers for source in trigger.on}
        reacts = not held.incomplete and bool(sources & ledger.changed.keys())
        if key in wanted or reacts:
            consider(memory.get(held.resource), settings, ledger)
    status = status_of(ledger)
    after = ledger.snapshot(operation_id, resources, memory, status)
    after = msgspec.structs.replace(after, operation_id=snapshot.operation_id)
    result = ApplyResult(
        operation_id=operation_id,
        node_id=node_id,
        modules=snapshot.modules,
        status=status,
        started_at=started_at,
        finished_at=ports.clock(),
        resources=tuple(ledger.results),
        output=ledger.output,
        plan_digest=plan_digest(tuple(ledger.items)),
        state=machine_state(resources, after, ports, memory),
    )
    return ApplyOutcome(result, after)


def _may(held: AppliedResource) -> bool:
    return held.resource.on_drift == "repair" and not held.incomplete
