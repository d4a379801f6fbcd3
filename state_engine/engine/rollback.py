"""Taking an operation back: planned as ordinary items, decided on, and carried out like an apply.

What each item did and how it is taken back was noted by `engine.undo_log` before it acted. An item
is refused where something that it touched was changed since; the dead-man switch alone goes on,
for what it takes back has just cut the host off. Doing it twice is the same as doing it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from protocol import canonical
from protocol.errors import StandfastError
from protocol.reports import (
    Action,
    ApplyResult,
    Change,
    PlanResult,
    ResourceDiff,
    ResultStatus,
    item_digest,
    plan_digest,
)
from state_engine.engine import cancel
from state_engine.engine.apply import CANCELLED, consider, stale, status_of
from state_engine.engine.claims import Claims
from state_engine.engine.ledger import Ledger, Settings, result_for
from state_engine.engine.look import bound, kinds_of, look, triggers_of
from state_engine.engine.machine import machine_state
from state_engine.engine.plan import CHANGING, result_of
from state_engine.engine.prepared import memory_of
from state_engine.engine.progress import ApplyOutcome, Resume, ignore
from state_engine.engine.reverse import ABSENT, standing
from state_engine.engine.secrets import Secrecy
from state_engine.engine.steps import Outcome, carry_out
from state_engine.engine.undo_log import Acting, AtRisk, Deed, UndoLog, deeds_of, nothing
from state_engine.model import AppliedResource, ResolvedResource, ResourceKey, Snapshot
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import (
    Context,
    MakeDirectory,
    RemoveDirectory,
    RemoveFile,
    SetAttributes,
    Step,
)

_CONTEXT = "standfast/revert/v1"
_BACKWARDS: dict[Action, Action] = {"create": "remove", "remove": "create"}
ALREADY = "already as it was before the operation"
_NOTHING: Mapping[str, str] = {}
# What an item of a rollback does, if it does something.
_DOING = CHANGING | {"remove"}


class RollbackError(StandfastError):
    """An operation cannot be taken back: nothing of it is kept."""


def plan_rollback(of: str, node_id: str, snapshot: Snapshot, ports: Ports) -> PlanResult:
    """Return what taking an operation back would do, the last thing done first; changes nothing.

    After the reversed items come those that react to them (a service reads its file again). An item
    that cannot be taken back says why and is not bound.

    Raises:
        RollbackError: nothing is kept of that operation.
    """
    memory = memory_of(ports)
    ports.accounts.forget()
    deeds = _deeds(of, ports)
    origin = _origin(deeds)
    secrecy = Secrecy(ports, (), snapshot.applied)
    now: dict[str, str] = {}
    held = {one.resource.key: one for one in snapshot.applied}
    items: list[ResourceDiff] = []
    back: dict[ResourceKey, Deed] = {}
    for deed in deeds:
        item = _item(deed, ports, origin, now, held)
        if item.action in _DOING:
            back[deed.acting.key] = deed
            now.update(deed.acting.reverse.before)
        items.append(item)
    changing = {key: _label(deed.acting.resource) for key, deed in back.items()}
    after = _restored(snapshot, list(back.values()))
    claims = Claims((), after, memory)
    for resource in _reacting(after, changing):
        prepared = memory.get(resource)
        triggers = triggers_of(prepared, changing, pending=False)
        context = Context(kinds_of(triggers), applied=True, managed=claims)
        found = bound(look(prepared, ports, context), prepared, ports, triggers)
        items.append(secrecy.item(found.item))
    resources = [deed.acting.resource for deed in deeds]
    return result_of(node_id, resources, tuple(items), snapshot)


def touched(of: str, snapshot: Snapshot, ports: Ports) -> tuple[ResolvedResource, ...]:
    """Return the resources that taking an operation back acts on, or that may react to it.

    Raises:
        RollbackError: nothing is kept of that operation.
    """
    deeds = _deeds(of, ports)
    own = {deed.acting.key: _label(deed.acting.resource) for deed in deeds}
    after = _restored(snapshot, deeds)
    return (*(deed.acting.resource for deed in deeds), *_reacting(after, own))


def apply_rollback(  # noqa: PLR0913 - an operation, its host, and how it is watched over
    operation_id: str,
    of: str,
    node_id: str,
    snapshot: Snapshot,
    ports: Ports,
    *,
    approved: frozenset[str] | None,
    anyway: bool = False,
    cancelled: cancel.CancelCheck = cancel.never,
    at_risk: AtRisk = nothing,
) -> ApplyOutcome:
    """Take an operation back as far as it was approved; never raises for one item.

    `approved` holds item digests of `plan_rollback`; None is local use: everything. `anyway` takes
    back what was changed since, too. `at_risk` is called before the first act that may cut the
    host off. It is an operation of its own, and can be taken back itself.

    Raises:
        RollbackError: nothing is kept of that operation.
    """
    deeds = _deeds(of, ports)
    memory = memory_of(ports)
    ports.accounts.forget()
    started_at = ports.clock()
    settings = Settings(
        ports,
        memory,
        approved,
        ignore,
        cancelled,
        Secrecy(ports, (), snapshot.applied),
        Claims((), snapshot, memory),
        UndoLog(operation_id, ports, at_risk),
    )
    work = _Rollback(deeds, settings, Ledger(snapshot, Resume()), anyway=anyway)
    for deed in deeds:
        work.take_back(deed)
    restored = _restored(snapshot, work.back)
    ledger = work.reactions(restored)
    status = status_of(ledger)
    resources = tuple(held.resource for held in restored.applied)
    after = ledger.snapshot(operation_id, resources, memory, status)
    result = ApplyResult(
        operation_id=operation_id,
        node_id=node_id,
        modules=tuple(sorted({deed.acting.resource.module for deed in deeds})),
        status=status,
        started_at=started_at,
        finished_at=ports.clock(),
        resources=tuple(ledger.results),
        output=ledger.output,
        plan_digest=plan_digest(tuple(ledger.items)),
        state=machine_state(resources, after, ports, memory),
    )
    return ApplyOutcome(result, after)


class _Rollback:
    """One rollback that is under way; `back` are the deeds that are as if they had not been."""

    def __init__(
        self, deeds: Sequence[Deed], settings: Settings, ledger: Ledger, *, anyway: bool
    ) -> None:
        self._resources = [deed.acting.resource for deed in deeds]
        self._origin = _origin(deeds)
        self._settings = settings
        self._ledger = ledger
        self._anyway = anyway
        self._held = {one.resource.key: one for one in ledger.before.applied}
        self.back: list[Deed] = []

    def take_back(self, deed: Deed) -> None:
        """Carry out the reverse of one deed, if it may and can be."""
        settings, ledger = self._settings, self._ledger
        prepared = settings.memory.get(deed.acting.resource)
        if self._anyway:
            item = _item(Deed(deed.acting), settings.ports, self._origin)
        else:
            item = _item(deed, settings.ports, self._origin, held=self._held)
        if settings.cancelled():
            ledger.cancelled = True
            ledger.add(prepared, result_for(item, "skipped", CANCELLED))
        elif item.action == "none":
            if item.message == ALREADY:
                self.back.append(deed)
            ledger.add(prepared, result_for(item, "unchanged", item.message))
        elif not self._anyway and (holder := self._holder(deed)) is not None:
            text = f"skipped: {holder.kind} {holder.identity} depends on it and is not back"
            ledger.add(prepared, result_for(item, "skipped", text))
        elif item.action == "error":
            ledger.add(prepared, result_for(item, "failed", item.message))
        elif not settings.covers(item):
            ledger.add(prepared, result_for(item, "stale", stale(item)))
        else:
            ledger.items.append(item)
            failure = self._do(deed, item)
            if failure is None:
                self.back.append(deed)
            status: ResultStatus = "changed" if failure is None else "failed"
            ledger.add(prepared, result_for(item, status, failure))

    def reactions(self, restored: Snapshot) -> Ledger:
        """Let act what reacts to what was taken back, and return the ledger with all results."""
        done, settings = self._ledger, self._settings
        ledger = Ledger(restored, Resume())
        ledger.changed, ledger.touched = done.changed, set(done.changed)
        ledger.bad, ledger.cancelled = done.bad, done.cancelled
        ledger.results, ledger.items = done.results, done.items
        for resource in _reacting(restored, ledger.changed):
            if not settings.cancelled():
                consider(settings.memory.get(resource), settings, ledger)
        return ledger

    def _holder(self, deed: Deed) -> ResourceKey | None:
        """Return the resource that depends on this one and could not be taken back."""
        for resource in self._resources:
            if resource.key in self._ledger.bad and deed.acting.key in resource.depends_on:
                return resource.key
        return None

    def _do(self, deed: Deed, item: ResourceDiff) -> str | None:
        settings, acting = self._settings, deed.acting
        prepared = settings.memory.get(acting.resource)
        try:
            steps = _fitting(acting.reverse.steps, settings.ports)
            if settings.undo is not None:
                held = self._ledger.held(acting.key)
                settings.undo.acting(prepared, item, steps, held, None, removal=True)
            carry_out(steps, settings.ports, Outcome(settings.scrub))
        except PortError as error:
            return settings.scrub(str(error))
        finally:
            if settings.undo is not None:
                settings.undo.acted(acting.key)
        return None


def _deeds(of: str, ports: Ports) -> list[Deed]:
    """Return what an operation did, the last first."""
    deeds = deeds_of(of, ports)
    if not deeds:
        raise RollbackError(f"nothing is kept of operation {of} on this host")
    return list(reversed(deeds))


def _origin(deeds: Sequence[Deed]) -> dict[str, str]:
    """Return what stood at each path before the operation; several deeds may touch one."""
    origin: dict[str, str] = {}
    for deed in deeds:  # the last first
        origin.update(deed.acting.reverse.before)
    return origin


def _item(
    deed: Deed,
    ports: Ports,
    origin: Mapping[str, str],
    now: Mapping[str, str] = _NOTHING,
    held: Mapping[ResourceKey, AppliedResource] | None = None,
) -> ResourceDiff:
    """Return a deed as an item of a plan; `now`: what stands where items before have acted.

    `held` is what is applied at present; None: whatever came since is taken back too.
    """
    reverse, forth = deed.acting.reverse, deed.acting.item
    item = msgspec.structs.replace(
        forth,
        action=_BACKWARDS.get(forth.action, "update"),
        changes=tuple(
            Change(change.field, change.desired, change.current, change.sensitive)
            for change in forth.changes
        ),
        triggers=(),
        message="take back what the operation did",
        desired="",
        observed="",
        digest="",
    )
    if reverse.problem is not None or not reverse.steps:
        why = reverse.problem or "there is nothing to take back"
        return msgspec.structs.replace(item, action="none", changes=(), message=f"stays: {why}")
    try:
        stands = {path: now.get(path) or standing(path, ports) for path in reverse.before}
    except PortError as error:
        return msgspec.structs.replace(item, action="error", message=str(error))
    if stands and stands in (reverse.before, {path: origin[path] for path in stands}):
        return msgspec.structs.replace(item, action="none", changes=(), message=ALREADY)
    if not stands and held is not None and not _is_last(deed.acting, held):
        # No path tells what was changed since; what was applied since is known all the same.
        message = f"refused: {item.type} {item.identity} was applied anew since the operation"
        return msgspec.structs.replace(item, action="error", message=message)
    changed = next((path for path in stands if _changed(deed, path, stands[path])), None)
    if changed is not None:
        what = "is gone" if stands[changed] == ABSENT else "was changed"
        message = f"refused: {changed} {what} since the operation"
        return msgspec.structs.replace(item, action="error", message=message)
    item = msgspec.structs.replace(
        item,
        desired=_digest(deed.acting.key, reverse.steps),
        observed=canonical.digest({**stands}),
    )
    return msgspec.structs.replace(item, digest=item_digest(item))


def _is_last(acting: Acting, held: Mapping[ResourceKey, AppliedResource]) -> bool:
    """Say whether what is applied is what a deed has left, or what was before it."""
    present = held.get(acting.key)
    if present is None:
        return acting.removal or acting.held is None
    left = [] if acting.removal else [acting.resource.spec]
    if acting.held is not None:
        left.append(acting.held.resource.spec)
    return present.resource.spec in left


def _changed(deed: Deed, path: str, stands: str) -> bool:
    # Of a deed that nobody saw the end of, nothing can be said; the decision binds what stands now.
    return deed.after is not None and deed.after.get(path) != stands


def _digest(key: ResourceKey, steps: tuple[Step, ...]) -> str:
    text = msgspec.json.encode(steps).decode()
    return canonical.digest({"context": _CONTEXT, "key": list(key), "steps": text})


def _fitting(steps: tuple[Step, ...], ports: Ports) -> tuple[Step, ...]:
    """Return the steps that still have something to do: the act may have ended half-way."""
    fitting: list[Step] = []
    for step in steps:
        if isinstance(step, RemoveFile | RemoveDirectory | SetAttributes):
            if ports.files.stat(step.path) is not None:
                fitting.append(step)
        elif isinstance(step, MakeDirectory) and ports.files.stat(step.path) is not None:
            fitting.append(SetAttributes(step.path, step.mode, step.owner, step.group))
        else:
            fitting.append(step)
    return tuple(fitting)


def _restored(snapshot: Snapshot, back: Sequence[Deed]) -> Snapshot:
    """Return the snapshot as if the deeds had not been."""
    before = {deed.acting.key: deed.acting.held for deed in back}
    kept: list[AppliedResource] = []
    for applied in snapshot.applied:
        key = applied.resource.key
        held = before.pop(key) if key in before else applied
        if held is not None:
            kept.append(held)
    kept += [held for held in before.values() if held is not None]
    return msgspec.structs.replace(
        snapshot,
        applied=tuple(kept),
        modules=tuple(sorted({held.resource.module for held in kept})),
    )


def _reacting(snapshot: Snapshot, changed: dict[ResourceKey, str]) -> list[ResolvedResource]:
    """Return the applied resources that react to what is taken back, and are none of it."""
    return [
        held.resource
        for held in snapshot.applied
        if not held.incomplete
        and held.resource.key not in changed
        and any(key in changed for trigger in held.resource.triggers for key in trigger.on)
    ]


def _label(resource: ResolvedResource) -> str:
    return resource.id or resource.identity
