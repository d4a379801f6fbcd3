"""Acting on one item: say so first, do the steps, look again, say what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from protocol.reports import ResourceDiff, ResourceResult, ResultStatus
from state_engine.engine.ledger import Ledger, Settings, result_for
from state_engine.engine.limited import limited
from state_engine.engine.look import Look, look
from state_engine.engine.prepared import Prepared
from state_engine.engine.progress import Finished, Started
from state_engine.engine.removal import Removal
from state_engine.engine.scrub import scrub_cut
from state_engine.engine.secrets import revealed
from state_engine.engine.steps import Outcome, carry_out
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import Context, EditFile, Step, WriteFile, WriteSource


@dataclass(frozen=True, slots=True)
class Begun:
    """An item that is about to act: it was said so, and how it is taken back was noted."""

    prepared: Prepared
    found: Look
    steps: tuple[Step, ...]
    at: float
    outcome: Outcome


def act(prepared: Prepared, found: Look, settings: Settings, ledger: Ledger) -> None:
    """Carry out a create, update or run; `changed` is said only if a second look agrees."""
    begun = begin(prepared, found, settings, ledger)
    if begun is not None:
        ports = limited(prepared.resource, settings.ports)
        finish(begun, do(begun.steps, ports, begun.outcome), settings, ledger)


def begin(prepared: Prepared, found: Look, settings: Settings, ledger: Ledger) -> Begun | None:
    """Say that an item is about to act; None if that failed, which is its result then."""
    kind, resource, ports = prepared.kind, prepared.resource, settings.ports
    if kind is None:  # such an item is an error, and never comes here
        raise TypeError(resource.kind)
    at = ports.clock()
    try:
        steps = kind.steps(revealed(resource, ports), found.difference)
        record = _history(prepared, found, steps, ports, ledger)
        if settings.undo is not None:
            held = ledger.held(prepared.key)
            settings.undo.acting(prepared, found.item, steps, held, found.observation)
    except PortError as error:
        text = settings.scrub(str(error))
        ledger.add(prepared, result_for(found.item, "failed", text))
        return None
    settings.progress(Started(prepared.key, found.item.digest, record))
    ledger.items.append(found.item)
    ledger.keep(prepared.key, record)
    ledger.touched.add(prepared.key)
    return Begun(prepared, found, steps, at, Outcome(settings.scrub))


def finish(begun: Begun, failure: str | None, settings: Settings, ledger: Ledger) -> None:
    """Look again at an item whose steps were done, or failed, and say what became of it."""
    prepared, found, outcome = begun.prepared, begun.found, begun.outcome
    failure = failure or _second_look(prepared, settings, ledger)
    if settings.undo is not None:
        settings.undo.acted(prepared.key)
    if failure is not None and not outcome.changed and found.item.action == "create":
        # What stands there later will be somebody else's, not a file that we created.
        ledger.forget(prepared.key)
    for phase, captured in outcome.captured.items():
        ledger.capture(prepared.key, phase, captured, settings.scrub)
    result = _result(found.item, "changed", failure, settings, ledger)
    ledger.add(prepared, _timed(result, begun.at, settings, ledger, prepared))
    settings.progress(ledger.finished(prepared))


def remove(
    prepared: Prepared,
    applied: AppliedResource,
    removal: Removal,
    settings: Settings,
    ledger: Ledger,
) -> None:
    """Carry out one removal; `unchanged` where there was nothing that we may take away."""
    ports = settings.ports
    begun = ports.clock()
    settings.progress(Started(prepared.key, removal.item.digest, applied, removal=True))
    ledger.items.append(removal.item)
    outcome = Outcome(settings.scrub)
    error = _note_removal(prepared, applied, removal, settings)
    if error is None:
        error = do(removal.undo.steps, limited(prepared.resource, ports), outcome)
    if settings.undo is not None:
        settings.undo.acted(prepared.key)
    for phase, captured in outcome.captured.items():
        ledger.capture(prepared.key, phase, captured, settings.scrub)
    good: ResultStatus = "removed" if outcome.changed else "unchanged"
    result = _result(removal.item, good, error, settings, ledger)
    result = _timed(result, begun, settings, ledger, prepared)
    ledger.add_removal(prepared, result)
    settings.progress(Finished(prepared.key, result, applied if error else None))


def _note_removal(
    prepared: Prepared, applied: AppliedResource, removal: Removal, settings: Settings
) -> str | None:
    """Note how a removal is taken back; return why that cannot be noted."""
    if settings.undo is None or not removal.undo.steps:
        return None
    try:
        steps = removal.undo.steps
        settings.undo.acting(prepared, removal.item, steps, applied, None, removal=True)
    except PortError as error:
        return str(error)
    return None


def _result(
    item: ResourceDiff,
    good: ResultStatus,
    failure: str | None,
    settings: Settings,
    ledger: Ledger,
) -> ResourceResult:
    if failure is None:
        return result_for(item, good)
    if settings.cancelled():
        ledger.cancelled = True
        return result_for(item, "interrupted", f"cancelled while it ran: {failure}")
    return result_for(item, "failed", failure)


def do(steps: tuple[Step, ...], ports: Ports, outcome: Outcome) -> str | None:
    """Carry out steps; return why one failed, or None."""
    try:
        carry_out(steps, ports, outcome)
    except PortError as error:
        return str(error)
    return None


def _second_look(prepared: Prepared, settings: Settings, ledger: Ledger) -> str | None:
    context = Context(applied=True, acted=True, managed=settings.claims)
    again = look(prepared, settings.ports, context, ledger.held(prepared.key))
    if again.observation is not None and again.observation.captured is not None:
        ledger.capture(prepared.key, "check", again.observation.captured, settings.scrub)
    # An untrusted check cannot be asked; its steps all succeeded, and that has to do.
    if again.item.action in {"none", "unknown"}:
        return None
    fields = ", ".join(change.field for change in again.item.changes)
    message = again.item.message or f"{fields} still differ"
    return f"acted, but a second look does not agree: {message}"


def _history(
    prepared: Prepared, found: Look, steps: tuple[Step, ...], ports: Ports, ledger: Ledger
) -> AppliedResource:
    """Return the record for the snapshot, with a copy kept of content that is first overwritten."""
    held = ledger.held(prepared.key)
    if held is None:
        held = AppliedResource(prepared.resource, created=found.item.action == "create")
    elif found.item.action == "create" and held.pre_image is None:
        # It was gone: what stands there from now on is ours. (A kept original stays the original.)
        held = AppliedResource(prepared.resource, created=True)
    record = msgspec.structs.replace(held, resource=prepared.resource)
    if found.item.action != "create" and (record.created or record.pre_image is not None):
        return record
    for step in steps:
        if isinstance(step, EditFile) and step.expected is not None and record.pre_mode is None:
            # No copy, but a mark: the file was there, and only a part of it can be ours.
            stat = ports.files.stat(step.path)
            if stat is not None:
                record = msgspec.structs.replace(
                    record, pre_mode=stat.mode, pre_uid=stat.uid, pre_gid=stat.gid
                )
        if isinstance(step, WriteFile | WriteSource):
            stat = ports.files.stat(step.path)
            if stat is not None and found.item.action == "create":
                raise PortError(f"{step.path} has appeared meanwhile; plan again", "EEXIST")
            if stat is not None:
                return msgspec.structs.replace(
                    record,
                    pre_image=ports.backups.keep(step.path),
                    pre_mode=stat.mode,
                    pre_uid=stat.uid,
                    pre_gid=stat.gid,
                )
    return record


def _timed(
    result: ResourceResult, begun: float, settings: Settings, ledger: Ledger, prepared: Prepared
) -> ResourceResult:
    spent = max(0, round((settings.ports.clock() - begun) * 1000))
    has_output = prepared.key.address in ledger.output
    error = scrub_cut(result.error, settings.scrub) if result.error else result.error
    return msgspec.structs.replace(result, duration_ms=spent, has_output=has_output, error=error)
