"""Drift: what the last apply left, against what the host shows now. Repairs nothing."""

from __future__ import annotations

from protocol.reports import ResourceDiff
from state_engine.engine import cancel
from state_engine.engine.claims import Claims
from state_engine.engine.look import Glancer, bound, look
from state_engine.engine.prepared import memory_of
from state_engine.engine.secrets import Secrecy
from state_engine.model import ResourceKey, Snapshot
from state_engine.ports import Ports
from state_engine.resources.contract import Context


def find_drift(
    snapshot: Snapshot,
    ports: Ports,
    *,
    only: frozenset[ResourceKey] | None = None,
    verify_content: bool = False,
    cancelled: cancel.CancelCheck = cancel.never,
) -> tuple[ResourceDiff, ...]:
    """Return an item for each applied resource that is not as it was left (or cannot be seen).

    `only` limits the look to some resources. A check of a module that is not trusted is not run,
    and a script without a check cannot drift: neither is in the answer.

    Raises:
        StoppedError: `cancelled` said so.
    """
    memory = memory_of(ports)
    ports.accounts.forget()
    converged = Glancer(ports).converged
    secrecy = Secrecy(ports, (), snapshot.applied)
    claims = Claims((), snapshot, memory)
    found: list[ResourceDiff] = []
    for applied in snapshot.applied:
        cancel.check(cancelled)
        prepared = memory.get(applied.resource)
        if applied.incomplete or (only is not None and prepared.key not in only):
            continue
        if not verify_content and converged(prepared):
            continue
        # As if it had just acted: triggers and "runs on every apply" are no drift.
        context = Context(applied=True, acted=True, managed=claims)
        seen = look(prepared, ports, context, verify=verify_content)
        # A check that was cut short has said nothing.
        cancel.check(cancelled)
        if seen.item.action not in {"none", "unknown"}:
            found.append(secrecy.item(bound(seen, prepared, ports, ()).item))
    return tuple(found)
