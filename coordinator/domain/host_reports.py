"""What each kind of a host's report changes here; each function takes one decoded body.

Order, signatures and storing the journal itself are `journal_intake`'s.
"""

from __future__ import annotations

import re

import msgspec

from coordinator.domain import audit_witness, executions, run_plans, run_views
from coordinator.domain.run_records import record
from coordinator.store import artifacts, drifts, presence, runs
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal, Severity
from coordinator.store.runs import StoredRun
from protocol.audit_journals import noted_head
from protocol.commands import Output
from protocol.limits import MAX_COMMENT
from protocol.messages import (
    Accepted,
    ArtifactChunk,
    Audit,
    Finished,
    RefusedStep,
    Started,
)
from protocol.reports import ApplyResult, DriftRecord, ResourceDiff
from protocol.run_events import (
    HostReport,
    StepAccepted,
    StepFinished,
    StepRefused,
    StepStarted,
)

# What a host may call its audit entries; all else goes under one name.
_AUDIT_NAME = re.compile(r"[a-z][a-z0-9_.]{0,62}\Z")


class Host(msgspec.Struct, frozen=True):
    """The host that reports: proven by its link, not by what it says."""

    node_id: str
    scope: str
    name: str | None = None

    @property
    def principal(self) -> Principal:
        """The host as the event log names it."""
        return Principal("agent", self.node_id, self.name or "")


def accepted(tx: Tx, host: Host, body: Accepted) -> None:
    """Note that a host has taken a step on."""
    _report(tx, host, body.run_id, StepAccepted(tx.now, host.node_id, body.fence))


def started(tx: Tx, host: Host, body: Started) -> None:
    """Note that a host has begun a step."""
    _report(tx, host, body.run_id, StepStarted(tx.now, host.node_id, body.fence))


def refused(tx: Tx, host: Host, body: RefusedStep) -> None:
    """Note that a host will not do a step, and why."""
    event = StepRefused(
        tx.now, host.node_id, body.fence, body.reason[:64], body.detail[:MAX_COMMENT]
    )
    _report(tx, host, body.run_id, event)


def has_artifact(tx: Tx, host: Host, body: Finished) -> bool:
    """Say whether the result that a report names, if any, was sent whole by this host before."""
    return body.artifact is None or artifacts.sent_by(tx, body.artifact, host.node_id)


def finished(tx: Tx, host: Host, body: Finished) -> None:
    """Note the outcome of a step and keep what its document says."""
    event = StepFinished(
        tx.now,
        host.node_id,
        body.fence,
        body.outcome,
        body.artifact,
        body.digest[:64],
        body.message[:MAX_COMMENT],
        body.reason[:64] or None,
    )
    run = _report(tx, host, body.run_id, event)
    # Even where it comes too late for the run: a result is taken as long as there is none.
    executions.finished(tx, host.node_id, host.scope, body)
    if run is None:
        return
    if body.artifact is not None:
        artifacts.refer(tx, body.artifact, run.details.scope, f"run:{run.run_id}")
    match run_views.document(tx, run, host.node_id):
        case ApplyResult() as result if result.node_id == host.node_id and result.state is not None:
            operation = run.details.operations[host.node_id]
            drifts.put_state(tx, host.node_id, operation, tx.now, result.state)
        case DriftRecord() as look:
            drift(tx, host, look)
        case _:
            pass
    run_plans.after(tx, run)


def output(tx: Tx, host: Host, body: Output) -> None:
    """Keep a piece of what a command printed."""
    executions.printed(tx, host.node_id, body)


def _report(tx: Tx, host: Host, run_id: str, event: HostReport) -> StoredRun | None:
    """Put a report on its run; None where it changes nothing or is not this host's to say."""
    run = runs.get(tx, run_id)
    if run is None or host.node_id not in run.state.steps:
        _emit(tx, host, "agent.report_rejected", f"report on run {run_id[:128]}", "warning")
        return None
    moved = record(tx, run, event, host.principal)
    if moved is run:
        return None
    run_plans.after(tx, moved)
    return moved


def chunk(tx: Tx, host: Host, body: ArtifactChunk) -> None:
    """Keep a piece of an artifact."""
    outcome = artifacts.add_chunk(tx, host.node_id, host.scope, body)
    if outcome in {"invalid", "over_quota"}:
        summary = f"artifact {body.sha256[:16]} of {body.size} bytes: {outcome.replace('_', ' ')}"
        _emit(tx, host, "agent.artifact_dropped", summary, "warning")


def drift(tx: Tx, host: Host, look: DriftRecord) -> None:
    """Keep a drift record, and say so when a host has drifted or is as applied again."""
    if look.node_id != host.node_id:
        _emit(tx, host, "agent.report_rejected", f"drift record of {look.node_id[:64]}", "warning")
        return
    before = drifts.listing(tx, host.node_id, limit=1)
    if not drifts.put(tx, host.scope, look):
        return
    was = before[0].status if before else "in_sync"
    presence.set_drift(tx, host.node_id, look.status)
    tx.wake(f"node:{host.node_id}")
    if look.status == "drifted":
        if was == "drifted" and _differing(before[0]) == _differing(look):
            # Something else in it is new: what is pending, or was repaired.
            return
        changed = [_by_whom(resource) for resource in look.resources[:5]]
        total = len(look.resources)
        count = "1 resource" if total == 1 else f"{total} resources"
        summary = f"{count} drifted: {', '.join(changed)}"[:MAX_COMMENT]
        _emit(tx, host, "drift.detected", summary, "warning", drift_id=look.drift_id)
    elif look.status == "in_sync" and was == "drifted":
        _emit(tx, host, "drift.cleared", "as applied again", drift_id=look.drift_id)


def _differing(look: DriftRecord) -> set[tuple[str, str, str, str]]:
    return {(one.module, one.type, one.identity, one.action) for one in look.resources}


def _by_whom(resource: ResourceDiff) -> str:
    if resource.changed_by is None:
        return resource.identity
    return f"{resource.identity} by {resource.changed_by}"


def audit(tx: Tx, host: Host, body: Audit) -> None:
    """Write a host's own word into the event log, under a name that only hosts' words have.

    What it remembers of the log itself is held against it instead.
    """
    seen = noted_head(body)
    if seen is not None:
        audit_witness.host_saw(tx, host.principal, host.scope, seen)
        return
    name = body.event if _AUDIT_NAME.match(body.event) else "audit"
    _emit(tx, host, f"host.{name}", body.message[:MAX_COMMENT], body.severity, reason=body.reason)


def unreadable(tx: Tx, host: Host, detail: str) -> None:
    """Say that a host reported something that this version cannot read."""
    _emit(tx, host, "agent.report_unreadable", detail[:MAX_COMMENT], "warning")


def _emit(
    tx: Tx,
    host: Host,
    kind: str,
    summary: str,
    severity: Severity = "info",
    **data: str | None,
) -> None:
    who = host.principal
    tx.emit(NewEvent(kind, host.scope, who, who, summary, severity, dict(data)))
