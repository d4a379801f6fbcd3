"""The plan: what an apply would do to this host, as one value with one digest. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from protocol.reports import PlanResult, PlanSummary, ResourceDiff, plan_digest
from state_engine.engine import cancel
from state_engine.engine.claims import Claims
from state_engine.engine.look import Glancer, bound, kinds_of, look, triggers_of
from state_engine.engine.prepared import Memory, memory_of
from state_engine.engine.removal import Held, Standing, leaving, look_at_removal
from state_engine.engine.secrets import Secrecy
from state_engine.model import ResolvedResource, ResourceKey, Snapshot
from state_engine.ports import Ports
from state_engine.resources.contract import Context

CHANGING = frozenset({"create", "update", "run"})


def make_plan(
    node_id: str,
    resources: Sequence[ResolvedResource],
    snapshot: Snapshot,
    ports: Ports,
    *,
    verify_content: bool = False,
    cancelled: cancel.CancelCheck = cancel.never,
) -> PlanResult:
    """Return what would have to be done, in apply order, removals last.

    `resources` are in apply order. `verify_content` reads every managed file instead of trusting
    an unchanged lstat. Commands of a module run only if the resource is trusted.

    Raises:
        StoppedError: `cancelled` said so.
    """
    memory = memory_of(ports)
    ports.accounts.forget()
    secrecy = Secrecy(ports, resources, snapshot.applied)
    items = _desired_items(
        resources, snapshot, ports, memory, secrecy, verify=verify_content, cancelled=cancelled
    )
    standing = Standing(resources, ports, memory)
    for applied in leaving(resources, snapshot, memory):
        cancel.check(cancelled)
        items.append(secrecy.item(look_at_removal(applied, ports, memory, standing).item))
    memory.prune(
        [*resources, *(applied.resource for applied in snapshot.applied)],
        len(resources) + len(snapshot.applied),
    )
    return result_of(node_id, resources, tuple(items), snapshot)


def result_of(
    node_id: str,
    resources: Sequence[ResolvedResource],
    items: tuple[ResourceDiff, ...],
    snapshot: Snapshot,
) -> PlanResult:
    """Return the items as a plan, counted and with their common digest."""
    counts: dict[str, int] = Counter([item.action for item in items])
    return PlanResult(
        node_id=node_id,
        modules=tuple(sorted({resource.module for resource in resources})),
        resources=items,
        summary=PlanSummary(**counts),
        digest=plan_digest(items),
        snapshot_of=snapshot.operation_id,
    )


def _desired_items(
    resources: Sequence[ResolvedResource],
    snapshot: Snapshot,
    ports: Ports,
    memory: Memory,
    secrecy: Secrecy,
    *,
    verify: bool,
    cancelled: cancel.CancelCheck,
) -> list[ResourceDiff]:
    converged = Glancer(ports).converged
    get = memory.get
    pending = frozenset(snapshot.pending)
    known: Held | None = None
    claims = Claims(resources, snapshot, memory)
    changing: dict[ResourceKey, str] = {}
    items: list[ResourceDiff] = []
    for resource in resources:
        cancel.check(cancelled)
        prepared = get(resource)
        # The fast path: most resources of most plans are as they should be.
        if not verify and converged(prepared):
            items.append(prepared.converged)
            continue
        if known is None:
            known = Held(snapshot)
        key = prepared.key
        triggers = triggers_of(prepared, changing, pending=key in pending)
        context = Context(kinds_of(triggers), applied=known.succeeded(key), managed=claims)
        found = look(prepared, ports, context, known.get(key), verify=verify)
        # A check that was cut short has said nothing.
        cancel.check(cancelled)
        found = bound(found, prepared, ports, triggers)
        if found.item.action in CHANGING:
            changing[key] = resource.id or resource.identity
        items.append(secrecy.item(found.item))
    return items
