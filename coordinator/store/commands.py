"""Commands as they were asked for, and each host's part in them. Not what they mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import ColumnElement, Row, delete, desc, func, insert, select, update

from coordinator.store.database import Tx
from coordinator.store.schema_commands import command_executions, command_output, commands
from protocol.commands import Command, Ending
from protocol.executions import Stage


class StoredCommand(msgspec.Struct, frozen=True):
    """One command; times are epoch seconds."""

    id: str
    scope: str
    command: Command
    expires_at: float | None
    target_all: bool
    cluster_name: str | None
    created_by: str
    has_run: bool
    inserted_at: float


class StoredExecution(msgspec.Struct, frozen=True):
    """One host's part in a command; times are epoch seconds."""

    id: str
    command_id: str
    node_id: str
    stage: Stage
    inserted_at: float
    updated_at: float
    exit_code: int | None = None
    ending: Ending | None = None
    reason: str | None = None
    message: str = ""
    duration_ms: int | None = None
    size: int = 0
    omitted: int = 0
    artifact: str | None = None
    sent_at: float | None = None
    completed_at: float | None = None
    cancelled_at: float | None = None


_commands = msgspec.msgpack.Decoder(Command)


def add(tx: Tx, made: StoredCommand, executions: Sequence[StoredExecution]) -> None:
    """Store a command with its executions."""
    values = msgspec.structs.asdict(made)
    values["command"] = msgspec.msgpack.encode(made.command)
    tx.conn.execute(insert(commands).values(**values))
    if executions:
        rows = [msgspec.structs.asdict(one) for one in executions]
        tx.conn.execute(insert(command_executions), rows)


def get(tx: Tx, command_id: str) -> StoredCommand | None:
    """Return one command, or None."""
    row = tx.conn.execute(select(commands).where(commands.c.id == command_id)).first()
    return _command(row) if row is not None else None


def listing(tx: Tx) -> tuple[StoredCommand, ...]:
    """Return all commands, newest first."""
    query = select(commands).order_by(desc(commands.c.inserted_at), desc(commands.c.id))
    return tuple(_command(row) for row in tx.conn.execute(query))


def remove(tx: Tx, command_id: str) -> None:
    """Remove a command with its executions and their output."""
    tx.conn.execute(delete(command_output).where(command_output.c.command_id == command_id))
    tx.conn.execute(delete(command_executions).where(command_executions.c.command_id == command_id))
    tx.conn.execute(delete(commands).where(commands.c.id == command_id))


def execution(tx: Tx, execution_id: str) -> StoredExecution | None:
    """Return one execution, or None."""
    return _one(tx, command_executions.c.id == execution_id)


def execution_of(tx: Tx, command_id: str, node_id: str) -> StoredExecution | None:
    """Return a host's part in a command, or None."""
    table = command_executions
    return _one(tx, (table.c.command_id == command_id) & (table.c.node_id == node_id))


def _one(tx: Tx, where: ColumnElement[bool]) -> StoredExecution | None:
    row = tx.conn.execute(select(command_executions).where(where)).first()
    return _execution(row) if row is not None else None


def executions(
    tx: Tx, *, command_id: str | None = None, node_id: str | None = None
) -> tuple[StoredExecution, ...]:
    """Return executions, of a command or of a host if asked for, oldest first."""
    table = command_executions
    query = select(table)
    if command_id is not None:
        query = query.where(table.c.command_id == command_id)
    if node_id is not None:
        query = query.where(table.c.node_id == node_id)
    rows = tx.conn.execute(query.order_by(table.c.inserted_at, table.c.id))
    return tuple(_execution(row) for row in rows)


def counts(tx: Tx, command_ids: Collection[str]) -> dict[str, dict[Stage, int]]:
    """Return how many executions of each command stand in each stage."""
    table = command_executions
    query = (
        select(table.c.command_id, table.c.stage, func.count())
        .where(table.c.command_id.in_(sorted(command_ids)))
        .group_by(table.c.command_id, table.c.stage)
    )
    found: dict[str, dict[Stage, int]] = {}
    for command_id, stage, count in tx.conn.execute(query):
        found.setdefault(command_id, {})[stage] = int(count)
    return found


def save(tx: Tx, changed: StoredExecution) -> None:
    """Store what changed of an execution."""
    table = command_executions
    values = msgspec.structs.asdict(changed)
    tx.conn.execute(update(table).where(table.c.id == changed.id).values(**values))


def remove_execution(tx: Tx, gone: StoredExecution) -> None:
    """Remove one execution and its output."""
    mine = (command_output.c.command_id == gone.command_id) & (
        command_output.c.node_id == gone.node_id
    )
    tx.conn.execute(delete(command_output).where(mine))
    tx.conn.execute(delete(command_executions).where(command_executions.c.id == gone.id))


def _command(row: Row[*tuple[object, ...]]) -> StoredCommand:
    return StoredCommand(
        id=row.id,
        scope=row.scope,
        command=_commands.decode(row.command),
        expires_at=row.expires_at,
        target_all=row.target_all,
        cluster_name=row.cluster_name,
        created_by=row.created_by,
        has_run=row.has_run,
        inserted_at=row.inserted_at,
    )


def _execution(row: Row[*tuple[object, ...]]) -> StoredExecution:
    return StoredExecution(
        **{name: getattr(row, name) for name in StoredExecution.__struct_fields__}
    )
