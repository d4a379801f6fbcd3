"""Drift: a look on demand, and the records of looks that the hosts took themselves."""

from __future__ import annotations

import msgspec

from client.failures import ClientError, ExitCode
from client.node_names import find, label
from client.planning import step_document, wait_for_connected
from client.render.grouping import masked
from client.render.plan import drift_lines
from client.session import Session
from protocol.api import Agent, RunRequest
from protocol.reports import DriftRecord

# A look reads; see planning.PLAN_PATIENCE.
DRIFT_PATIENCE = 120.0


def look_now(session: Session, agent: Agent) -> DriftRecord:
    """Let a host look now, and return what it saw.

    Raises:
        ClientError: it did not look, or the record cannot be read.
    """
    run = session.api.create_run(RunRequest(step="state.drift", nodes=(agent.node_id,)))
    run = wait_for_connected(session, run.run_id, (agent,), DRIFT_PATIENCE)
    for step in run.steps:
        document = step_document(session, step)
        if step.node_id == agent.node_id and document is not None:
            try:
                return msgspec.convert(document, DriftRecord)
            except msgspec.ValidationError as error:
                raise ClientError(f"drift record: {error}", code="answer_invalid") from error
    name = label(agent.name, agent.node_id)
    causes = [f"{step.phase} {step.reason or ''} {step.message}".strip() for step in run.steps]
    causes += [] if agent.connected else ["it is away, and looks when it is back"]
    raise ClientError(
        f"{name} did not look: {'; '.join(causes) or run.phase}",
        next_command=f"standfast why {name}",
        code="drift_failed",
    )


def tell_drift(session: Session, record: DriftRecord, agent: Agent, *, detailed: bool) -> int:
    """Print a record and return the exit code: 6 for drift if asked for, 5 if it failed."""
    name = label(agent.name, agent.node_id)
    if session.out.as_json:
        shown = tuple(map(masked, record.resources))
        session.out.document(msgspec.structs.replace(record, resources=shown))
    else:
        when = session.out.when(record.checked_at)
        session.out.lines(drift_lines(record, name, when, session.out.when))
        if record.status == "drifted":
            modules = sorted({item.module for item in record.resources})
            named = " ".join(f"--module {module}" for module in modules)
            session.out.lines([f"next: standfast state apply {name} {named}".rstrip()])
    if record.status == "failed":
        return ExitCode.RESOURCE_FAILED
    return ExitCode.PENDING if detailed and record.status == "drifted" else ExitCode.OK


def records(
    session: Session, node: str | None, limit: int, status: str | None
) -> list[tuple[str, DriftRecord]]:
    """Return records with the labels of their hosts, newest first: of one host, or of all."""
    agents = session.api.agents()
    chosen = [find(agents, node)] if node else agents
    found = [
        (label(agent.name, agent.node_id), record)
        for agent in chosen
        for record in session.api.drift_records(agent.node_id, limit, status)
    ]
    found.sort(key=lambda pair: -pair[1].checked_at)
    return found[:limit]
