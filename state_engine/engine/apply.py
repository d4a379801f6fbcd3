"""The apply: carries out what a decision covers, item by item, and says what became of each.

Acting on one item is `engine.act`; what is kept between items is `engine.ledger`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from protocol.reports import ApplyResult, OperationStatus, ResourceDiff, plan_digest
from state_engine.engine import cancel
from state_engine.engine.act import act, remove
from state_engine.engine.claims import Claims
from state_engine.engine.ledger import Ledger, Settings, result_for
from state_engine.engine.look import Glancer, bound, kinds_of, look, triggers_of
from state_engine.engine.machine import machine_state
from state_engine.engine.prepared import Prepared, memory_of
from state_engine.engine.progress import ApplyOutcome, Report, Resume, ignore
from state_engine.engine.removal import Removal, Standing, leaving, look_at_removal
from state_engine.engine.secrets import Secrecy
from state_engine.engine.together import Following
from state_engine.engine.undo_log import AtRisk, UndoLog, nothing
from state_engine.model import AppliedResource, ResolvedResource, Snapshot
from state_engine.ports import Ports
from state_engine.resources.contract import Context, purging

CANCELLED = "cancelled before its turn"


def apply_plan(  # noqa: PLR0913 - one call is the whole interface of an apply
    operation_id: str,
    node_id: str,
    resources: Sequence[ResolvedResource],
    snapshot: Snapshot,
    ports: Ports,
    *,
    approved: frozenset[str] | None,
    resume: Resume | None = None,
    progress: Report = ignore,
    cancelled: cancel.CancelCheck = cancel.never,
    removal_limit: int | None = None,
    at_risk: AtRisk = nothing,
) -> ApplyOutcome:
    """Bring the host to the desired state as far as it was approved; never raises for one item.

    `approved` holds the item digests that the decision covers; None is local use: everything. An
    item whose digest, computed now, is not in it becomes `stale`; its dependants are skipped and
    the rest goes on. `progress` is called before and after each item acts and must make the message
    durable before it returns; `resume` is those messages folded, with the `snapshot` that the
    interrupted call was given. More removals than `removal_limit` refuse the whole apply. `at_risk`
    is called before the first act that may cut the host off; what it raises fails that item.
    """
    memory = memory_of(ports)
    ports.accounts.forget()
    started_at = ports.clock()
    secrecy = Secrecy(ports, resources, snapshot.applied)
    claims = Claims(resources, snapshot, memory)
    undo = UndoLog(operation_id, ports, at_risk)
    settings = Settings(ports, memory, approved, progress, cancelled, secrecy, claims, undo)
    ledger = Ledger(snapshot, resume or Resume())
    removals = leaving(resources, snapshot, memory)
    error = None
    gone = 0 if removal_limit is None else len(removals) + _purged(resources, settings, ledger)
    if removal_limit is not None and gone > removal_limit:
        error = (
            f"refused: {gone} resources would be removed and the limit is {removal_limit};"
            " nothing was done"
        )
        status: OperationStatus = "failed"
    else:
        _desired(resources, settings, ledger)
        _removals(removals, Standing(resources, ports, memory), settings, ledger)
        status = status_of(ledger)
    after = snapshot if error else ledger.snapshot(operation_id, resources, memory, status)
    items = tuple(ledger.items)
    result = ApplyResult(
        operation_id=operation_id,
        node_id=node_id,
        modules=tuple(sorted({resource.module for resource in resources})),
        status=status,
        started_at=started_at,
        finished_at=ports.clock(),
        resources=tuple(ledger.results),
        output=ledger.output,
        plan_digest=plan_digest(items),
        state=machine_state(resources, after, ports, memory),
        error=error,
    )
    return ApplyOutcome(result, after)


def _purged(resources: Sequence[ResolvedResource], settings: Settings, ledger: Ledger) -> int:
    """Return how many objects go that are nobody's, as it looks before anything is done."""
    count = 0
    for resource in resources:
        prepared = settings.memory.get(resource)
        kind = purging(prepared.kind)
        if kind is not None and kind.purges(resource.spec):
            context = Context(managed=settings.claims)
            held = ledger.held(prepared.key)
            count += look(prepared, settings.ports, context, held).difference.removes
    return count


def _desired(resources: Sequence[ResolvedResource], settings: Settings, ledger: Ledger) -> None:
    converged = Glancer(settings.ports).converged
    for index, resource in enumerate(resources):
        prepared = settings.memory.get(resource)
        key = prepared.key
        earlier = ledger.resume.finished.get(key)
        if ledger.dealt_with(key):  # it went along with one before
            continue
        if earlier is not None:
            ledger.replay(prepared, earlier)
        elif settings.cancelled():
            ledger.cancelled = True
            ledger.add(prepared, result_for(prepared.converged, "skipped", CANCELLED))
        elif (cause := ledger.blocked(resource.depends_on)) is not None:
            what = f"{cause.kind} {cause.identity}"
            text = f"skipped: it depends on {what}, which is not as desired"
            ledger.add(prepared, result_for(prepared.converged, "skipped", text))
        elif key not in ledger.resume.started and converged(prepared):
            ledger.add(prepared, result_for(prepared.converged, "unchanged"))
        else:
            following = Following(resources, index + 1, converged)
            consider(prepared, settings, ledger, following)


def consider(
    prepared: Prepared, settings: Settings, ledger: Ledger, following: Following | None = None
) -> None:
    """Look at one desired resource, act on it if that is covered, and record what became of it.

    `following` is what may be done together with it.
    """
    kind, key = prepared.kind, prepared.key
    if key in ledger.resume.started and kind is not None and not kind.idempotent:
        text = "interrupted: it was running when this host's agent ended, and is not run twice"
        ledger.add(prepared, result_for(prepared.converged, "interrupted", text))
        return
    begun = ledger.begun(prepared.resource)
    triggers = triggers_of(prepared, ledger.changed, pending=key in ledger.pending)
    context = Context(kinds_of(triggers), applied=ledger.succeeded(key), managed=settings.claims)
    # What was left before this operation began, also where it goes on after an interruption.
    held = ledger.before_us(key) if begun else ledger.held(key)
    found = look(prepared, settings.ports, context, held)
    found = bound(found, prepared, settings.ports, triggers)
    found = replace(found, item=settings.secrecy.item(found.item))
    if found.observation is not None and found.observation.captured is not None:
        ledger.capture(key, "check", found.observation.captured, settings.scrub)
    if settings.cancelled():
        ledger.cancelled = True
        ledger.add(prepared, result_for(found.item, "skipped", CANCELLED))
        return
    item = found.item
    match item.action:
        case "none":
            # Begun and found whole: it was this operation that did it, and others react to that.
            ledger.add(prepared, result_for(item, "changed" if begun else "unchanged"))
            if begun:
                settings.progress(ledger.finished(prepared))
        case "error":
            ledger.add(prepared, result_for(item, "failed", item.message))
        case "unknown":
            ledger.add(prepared, result_for(item, "unknown", item.message))
        case _ if not begun and not settings.covers(item):
            ledger.add(prepared, result_for(item, "stale", stale(item)))
        case _:
            if following is None or not following.act(prepared, found, settings, ledger):
                act(prepared, found, settings, ledger)


def _removals(
    removals: list[AppliedResource], standing: Standing, settings: Settings, ledger: Ledger
) -> None:
    failed: list[AppliedResource] = []
    for applied in removals:
        prepared = settings.memory.get(applied.resource)
        earlier = ledger.resume.finished.get(prepared.key)
        if earlier is not None:
            ledger.add_removal(prepared, earlier)
        elif settings.cancelled():
            ledger.cancelled = True
            item = msgspec.structs.replace(prepared.converged, action="remove")
            ledger.add_removal(prepared, result_for(item, "skipped", CANCELLED))
        else:
            removal = look_at_removal(applied, settings.ports, settings.memory, standing)
            _consider_removal(prepared, applied, removal, failed, settings, ledger)
        if prepared.key in ledger.bad:
            failed.append(applied)


def _consider_removal(
    prepared: Prepared,
    applied: AppliedResource,
    removal: Removal,
    failed: list[AppliedResource],
    settings: Settings,
    ledger: Ledger,
) -> None:
    item, key = settings.secrecy.item(removal.item), prepared.key
    holder = next((left for left in failed if key in left.resource.depends_on), None)
    begun = key in ledger.resume.removing
    idempotent = prepared.kind is None or prepared.kind.idempotent
    if holder is not None:
        left = holder.resource
        text = f"skipped: {left.kind} {left.identity} depends on it and is still there"
        result = result_for(item, "skipped", text)
    elif begun and not idempotent:
        text = "interrupted: its undo was running when this host's agent ended"
        result = result_for(item, "interrupted", text)
    elif item.action == "error":
        result = result_for(item, "failed", item.message)
    elif not begun and not settings.covers(item):
        result = result_for(item, "stale", stale(item))
    else:
        remove(prepared, applied, removal, settings, ledger)
        return
    ledger.add_removal(prepared, result)


def stale(item: ResourceDiff) -> str:
    """Return what a result says of an item that is not what was approved."""
    return f"stale: `{item.action}` in this state of the host is not what was approved; plan again"


def status_of(ledger: Ledger) -> OperationStatus:
    """Return what the results so far make of the operation."""
    if ledger.cancelled:
        return "cancelled"
    return "failed" if ledger.bad else "succeeded"
