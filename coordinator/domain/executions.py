"""Executions: a command's part on each host, moved by its run and by what the host says of it.

Which change leads where is `protocol.executions`; here is which change a report is.
"""

from __future__ import annotations

import msgspec

from coordinator.store import artifacts, command_output, commands
from coordinator.store.commands import StoredExecution
from coordinator.store.database import Tx
from coordinator.store.events import COORDINATOR, NewEvent, Principal
from coordinator.store.runs import StoredRun
from protocol import executions
from protocol.api import StepPhase
from protocol.commands import EXIT_CANCELLED, CommandResult, Output
from protocol.executions import MOVING, SETTLED, ExecutionChange
from protocol.limits import MAX_COMMENT
from protocol.messages import Finished, StepOutcome

# What a program can end with; 128 and more are also a shell's words for signals.
MAX_EXIT_CODE = 255
# What a step's phase means for its execution; results of hosts come with more (`finished`).
_OF_PHASE: dict[StepPhase, ExecutionChange] = {
    "accepted": "send",
    "running": "send",
    "refused": "finish",
    "cancelled": "withdraw",
    "expired": "expire",
}
_OF_OUTCOME: dict[StepOutcome, ExecutionChange] = {
    "succeeded": "finish",
    "failed": "finish",
    "interrupted": "finish",
    "refused": "finish",
    "cancelled": "finish_cancelled",
    "expired": "finish_expired",
}


def follow_run(tx: Tx, before: StoredRun, after: StoredRun) -> None:
    """Move the executions of a command's run as its steps have moved."""
    for node, step in after.state.steps.items():
        change = _OF_PHASE.get(step.phase)
        if change is None or step.phase == before.state.steps[node].phase:
            continue
        found = commands.execution_of(tx, after.run_id, node)
        if found is not None:
            said = msgspec.structs.replace(found, reason=step.reason, message=step.message)
            _move(tx, found, said if step.phase not in {"accepted", "running"} else found, change)


def finished(tx: Tx, node_id: str, scope: str, body: Finished) -> None:
    """Take a host's result of a command, as long as there is none, however late it comes."""
    found = commands.execution_of(tx, body.run_id, node_id)
    if found is None or found.stage in SETTLED:
        return
    result = _result(tx, body)
    if result is not None and result.node_id == node_id:
        held = result.output is not None and artifacts.sent_by(tx, result.output, node_id)
        said = msgspec.structs.replace(
            found,
            exit_code=_code(result.exit_code),
            ending=result.ending,
            duration_ms=_natural(result.duration_ms),
            size=_natural(result.size),
            omitted=_natural(result.omitted),
            artifact=result.output if held else None,
        )
    else:
        code = EXIT_CANCELLED if body.outcome == "cancelled" else None
        ending = "cancelled" if body.outcome == "cancelled" else None
        said = msgspec.structs.replace(found, exit_code=code, ending=ending)
    said = msgspec.structs.replace(
        said, reason=body.reason[:64] or None, message=body.message[:MAX_COMMENT]
    )
    for name in (body.artifact, said.artifact):
        if name is not None:
            artifacts.refer(tx, name, scope, f"run:{body.run_id}")
    _move(tx, found, said, _OF_OUTCOME[body.outcome])


def _code(number: int | None) -> int | None:
    # Anything beyond is no program's: a host has made it up, and no column may hold it.
    return number if number is not None and 0 <= number <= MAX_EXIT_CODE else None


def _natural(number: int) -> int:
    return min(max(number, 0), 2**53 - 1)


def _result(tx: Tx, body: Finished) -> CommandResult | None:
    data = artifacts.read(tx, body.artifact) if body.artifact is not None else None
    try:
        return msgspec.json.decode(data, type=CommandResult) if data is not None else None
    except (msgspec.MsgspecError, RecursionError):
        return None


def printed(tx: Tx, node_id: str, body: Output) -> None:
    """Keep a piece of output; of a command that is not this host's, or is over, nothing."""
    found = commands.execution_of(tx, body.run_id, node_id)
    if found is None or found.stage in SETTLED:
        return
    if command_output.add(tx, node_id, body):
        tx.wake(f"run:{body.run_id}")


def drop(tx: Tx, node_id: str) -> None:
    """Give up what a deleted host has not done; that never changes again."""
    for found in commands.executions(tx, node_id=node_id):
        if found.stage in MOVING:
            said = msgspec.structs.replace(found, message="the host was deleted")
            _move(tx, found, said, "drop")


def _move(tx: Tx, before: StoredExecution, said: StoredExecution, change: ExecutionChange) -> None:
    stage = executions.follow(before.stage, change)
    if stage == before.stage:
        return
    shown = executions.status(stage)
    after = msgspec.structs.replace(said, stage=stage, updated_at=tx.now)
    match shown:
        case "sent":
            after = msgspec.structs.replace(after, sent_at=tx.now)
        case "completed":
            after = msgspec.structs.replace(after, completed_at=tx.now)
        case "cancelled" if before.cancelled_at is None:
            after = msgspec.structs.replace(after, cancelled_at=tx.now)
        case _:
            pass
    commands.save(tx, after)
    tx.wake(f"run:{before.command_id}")
    if shown != executions.status(before.stage):
        tell(tx, after)


def tell(tx: Tx, found: StoredExecution) -> None:
    """Write into the event log where an execution stands now."""
    shown = executions.status(found.stage)
    known = commands.get(tx, found.command_id)
    code = f", exit code {found.exit_code}" if found.exit_code is not None else ""
    tx.emit(
        NewEvent(
            f"command_execution.{'created' if shown == 'pending' else shown}",
            known.scope if known is not None else "",
            COORDINATOR,
            Principal("command_execution", found.id),
            f"command {found.command_id} on {found.node_id}: {shown}{code}",
            "info",
            {"command_id": found.command_id, "node_id": found.node_id, "status": shown},
        )
    )
