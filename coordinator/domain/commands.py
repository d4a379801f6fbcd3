"""Commands: asked for over the hosts that match now, shown, cancelled, deleted.

A command is a run that waits for its signature (`run_decisions`); the published executions follow
that run (`executions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from coordinator.domain import agents, executions, runs
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal, RefusalKind, invalid, not_found
from coordinator.domain.run_records import announce, record
from coordinator.domain.run_views import rfc3339
from coordinator.store import command_output, records
from coordinator.store import commands as stored
from coordinator.store import runs as stored_runs
from coordinator.store.commands import StoredCommand, StoredExecution
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.runs import RunDetails, StoredRun
from protocol import commands, decisions, ids
from protocol import executions as rules
from protocol.api import Agent
from protocol.api_commands import (
    CommandInfo,
    CreateCommandRequest,
    Execution,
    OutputPage,
    OutputPiece,
)
from protocol.errors import DecodeError
from protocol.executions import MOVING
from protocol.limits import MAX_DECISION_NODES
from protocol.run_events import StepCancelRequested
from protocol.runs import RUN_FINAL, RunDefinition, initial

SCOPE = ids.DEFAULT_SCOPE
# Without `expires_at` a command waits a day for its signature and for hosts that are away.
DEFAULT_SECONDS = 86_400.0
# No decision is valid for longer than this, so nothing could begin later.
MAX_SECONDS = 30 * 86_400.0
CLUSTER = "default"

Choose = Callable[[tuple["Target", ...]], "tuple[Target, ...] | Refusal"]


class Target(msgspec.Struct, frozen=True):
    """A host that a command may be for, and when it was first seen (epoch seconds)."""

    agent: Agent
    inserted_at: float


def create(
    tx: Tx, actor: Actor, request: CreateCommandRequest, choose: Choose
) -> CommandInfo | Refusal:
    """Make a command over the hosts that `choose` picks now; it waits for its signature.

    No host matches: a command without executions, which is over at once.
    """
    document = request.command()
    try:
        commands.check(document)
    except DecodeError as error:
        return invalid("command_text", str(error), "validation_failed")
    expires_at = _expiry(tx, request)
    if isinstance(expires_at, Refusal):
        return expires_at
    if request.max_parallel < 0 or (request.max_failures or 0) < 0:
        return invalid("max_parallel", "max_parallel and max_failures are 0 or more", _INVALID)
    chosen = choose(targets(tx))
    if isinstance(chosen, Refusal):
        return chosen
    nodes = tuple(target.agent.node_id for target in chosen)
    if len(nodes) > MAX_DECISION_NODES:
        text = f"{len(nodes)} hosts match; one command has at most {MAX_DECISION_NODES}"
        return invalid("targeting", text, _INVALID)
    refused = runs.room(tx, nodes) if nodes else None
    if refused is not None:
        return refused
    names = request.targeting.cluster_names
    made = StoredCommand(
        id=tx.ulid(),
        scope=SCOPE,
        command=document,
        expires_at=expires_at,
        target_all=request.targeting.type == "all",
        cluster_name=names[0] if len(names) == 1 else None,
        created_by=actor.username,
        has_run=bool(nodes),
        inserted_at=tx.now,
    )
    _start(tx, actor, made, nodes, request)
    return show(tx, made)


_INVALID: RefusalKind = "validation_failed"


def _expiry(tx: Tx, request: CreateCommandRequest) -> float | Refusal | None:
    text = request.expires_at or request.expired_at
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        moment = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        return invalid("expires_at", "expires_at must be an ISO 8601 date and time", _INVALID)
    if not tx.now < moment <= tx.now + MAX_SECONDS:
        text = "expires_at must lie in the future, at most 30 days ahead"
        return invalid("expires_at", text, _INVALID)
    return moment


def _start(
    tx: Tx,
    actor: Actor,
    made: StoredCommand,
    nodes: tuple[str, ...],
    request: CreateCommandRequest,
) -> None:
    parts = [StoredExecution(tx.ulid(), made.id, node, "pending", tx.now, tx.now) for node in nodes]
    stored.add(tx, made, parts)
    if not nodes:
        return
    definition = RunDefinition(
        made.id,
        "command.run",
        nodes,
        tx.now + DEFAULT_SECONDS if made.expires_at is None else made.expires_at,
        max_parallel=request.max_parallel,
        max_failures=request.max_failures,
    )
    details = RunDetails(
        scope=SCOPE,
        created_at=tx.now,
        actor=actor.principal(),
        modules=(),
        removal_limit=0,
        operations={part.node_id: part.id for part in parts},
        command=made.command,
    )
    run = StoredRun(definition, details, initial(definition))
    stored_runs.add(tx, run)
    announce(tx, run, actor.principal())
    for part in parts:
        executions.tell(tx, part)


def targets(tx: Tx) -> tuple[Target, ...]:
    """Return all hosts that a command may be for: the approved ones, reachable or not."""
    found = agents.listing(tx, "approved")
    if isinstance(found, Refusal):
        return ()
    first = {one.uid: one.created_at for one in records.listing(tx, agents.KIND, SCOPE)}
    return tuple(Target(agent, first.get(agent.node_id, 0.0)) for agent in found)


def get(tx: Tx, command_id: str) -> CommandInfo | Refusal:
    """Return one command."""
    found = stored.get(tx, command_id)
    return show(tx, found) if found is not None else not_found("command", command_id)


def listing(tx: Tx) -> tuple[CommandInfo, ...]:
    """Return all commands, newest first."""
    found = stored.listing(tx)
    counts = stored.counts(tx, [one.id for one in found])
    return tuple(_show(one, counts.get(one.id, {})) for one in found)


def show(tx: Tx, found: StoredCommand) -> CommandInfo:
    """Return a command as the API shows it."""
    return _show(found, stored.counts(tx, [found.id]).get(found.id, {}))


def _show(found: StoredCommand, counts: dict[rules.Stage, int]) -> CommandInfo:
    by_status: dict[str, int] = {}
    for stage, count in counts.items():
        name = rules.status(stage)
        by_status[name] = by_status.get(name, 0) + count
    at, ends = rfc3339(found.inserted_at), _time(found.expires_at)
    return CommandInfo(
        id=found.id,
        command_text=found.command.text,
        timeout=found.command.timeout_ms,
        expires_at=ends,
        expired_at=ends,
        target_all=found.target_all,
        cluster_name=found.cluster_name,
        inserted_at=at,
        updated_at=at,
        run_id=found.id if found.has_run else None,
        command=found.command,
        action_hash=decisions.canonical_hash(commands.action(found.command)),
        created_by=found.created_by,
        executions=by_status,
    )


def delete(tx: Tx, by: Actor, command_id: str) -> Refusal | None:
    """Remove a command with its executions, once none of them can move any more."""
    found = stored.get(tx, command_id)
    if found is None:
        return not_found("command", command_id)
    moving = [one for one in stored.executions(tx, command_id=command_id) if one.stage in MOVING]
    if moving:
        text = f"{len(moving)} executions are pending or sent: cancel them first"
        return Refusal("conflict", text)
    stored.remove(tx, command_id)
    target = Principal("command", command_id)
    text = f"command {command_id} was deleted"
    tx.emit(NewEvent("command.deleted", found.scope, by.principal(), target, text))
    return None


def list_executions(
    tx: Tx, *, output: bool = False, command_id: str | None = None
) -> tuple[Execution, ...]:
    """Return executions; their output is left out unless asked for."""
    held: dict[str, StoredCommand] = {one.id: one for one in stored.listing(tx)}
    names = {one.uid: one.name for one in records.listing(tx, agents.KIND, SCOPE)}
    return tuple(
        _execution(tx, held[one.command_id], one, names.get(one.node_id), output=output)
        for one in stored.executions(tx, command_id=command_id)
    )


def with_output(tx: Tx, shown: Iterable[Execution]) -> tuple[Execution, ...]:
    """Return executions with what is kept of their output."""
    return tuple(
        msgspec.structs.replace(
            one, output=command_output.text_of(tx, one.command_id, one.node_id or "")
        )
        for one in shown
    )


def get_execution(tx: Tx, execution_id: str) -> Execution | Refusal:
    """Return one execution with its output."""
    found = stored.execution(tx, execution_id)
    return _shown(tx, found) if found is not None else not_found("execution", execution_id)


def _shown(tx: Tx, found: StoredExecution) -> Execution:
    node = records.get_by_uid(tx, agents.KIND, found.node_id)
    known = stored.get(tx, found.command_id)
    if known is None:
        raise AssertionError(f"execution {found.id} has no command")
    return _execution(tx, known, found, node.name if node is not None else None, output=True)


def _execution(
    tx: Tx, command: StoredCommand, found: StoredExecution, name: str | None, *, output: bool
) -> Execution:
    ends = _time(command.expires_at)
    return Execution(
        id=found.id,
        command_id=command.id,
        node_id=found.node_id,
        cluster_name=CLUSTER,
        command_text=command.command.text,
        timeout=command.command.timeout_ms,
        expires_at=ends,
        expired_at=ends,
        status=rules.status(found.stage),
        exit_code=found.exit_code,
        output=command_output.text_of(tx, command.id, found.node_id) if output else None,
        target_all=command.target_all,
        sent_at=_time(found.sent_at),
        completed_at=_time(found.completed_at),
        cancelled_at=_time(found.cancelled_at),
        inserted_at=rfc3339(found.inserted_at),
        updated_at=rfc3339(found.updated_at),
        node_name=name,
        ending=found.ending,
        reason=found.reason,
        message=found.message,
        duration_ms=found.duration_ms,
        output_size=found.size,
        omitted=found.omitted,
        output_artifact=found.artifact,
    )


def _time(at: float | None) -> str | None:
    return rfc3339(at) if at is not None else None


def delete_execution(tx: Tx, by: Actor, execution_id: str) -> Refusal | None:
    """Remove one execution that is over."""
    found = stored.execution(tx, execution_id)
    if found is None:
        return not_found("execution", execution_id)
    if found.stage in MOVING:
        return Refusal("conflict", f"the execution is {rules.status(found.stage)}: cancel it first")
    stored.remove_execution(tx, found)
    target = Principal("command_execution", execution_id)
    text = f"command {found.command_id} on {found.node_id} was deleted"
    tx.emit(NewEvent("command_execution.deleted", SCOPE, by.principal(), target, text))
    return None


def cancel_execution(tx: Tx, actor: Actor, execution_id: str) -> Execution | Refusal:
    """Stop one host's part: at once if it has not begun, else when the host says so.

    A host that is away hears of it when it comes back.
    """
    found = stored.execution(tx, execution_id)
    if found is None:
        return not_found("execution", execution_id)
    if found.stage not in MOVING:
        return Refusal("conflict", f"the execution is over: it is {rules.status(found.stage)}")
    run = stored_runs.get(tx, found.command_id)
    if run is None:
        return not_found("run", found.command_id)
    event = StepCancelRequested(tx.now, found.node_id, f"cancelled by {actor.username}")
    record(tx, run, event, actor.principal())
    return get_execution(tx, execution_id)


def output_after(tx: Tx, command_id: str, seq: int) -> OutputPage | Refusal:
    """Return pieces of output after a sequence, and whether more can come."""
    if stored.get(tx, command_id) is None:
        return not_found("command", command_id)
    # Where it stands is read first: what a run that is over has to say is there in full by then.
    phase = stored_runs.phase_of(tx, command_id)
    found = command_output.after(tx, command_id, seq)
    pieces = tuple(
        OutputPiece(one.seq, one.node_id, one.offset, one.text, one.omitted) for one in found
    )
    over = phase is None or phase in RUN_FINAL
    return OutputPage(pieces, over=over and len(found) < command_output.MAX_PAGE)
