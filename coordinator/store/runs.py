"""Runs as they are stored: definition, what was asked, state, and the events that led to it.

What follows from an event is `protocol.runs`; who may ask for what is `coordinator.domain.runs`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

import msgspec
from sqlalchemy import Row, Select, bindparam, desc, func, insert, select, update

from coordinator.store import schema
from coordinator.store.database import Tx
from coordinator.store.events import Principal
from protocol.api import RunPhase
from protocol.commands import Command
from protocol.messages import StepKind
from protocol.run_events import HostReport, LeaseRenewed, Offered, StepExpired, StepWithdrawn
from protocol.runs import RUN_FINAL, STEP_FINAL, RunDefinition, RunEvent, RunState

# A page of runs or operations, as published.
MAX_PAGE = 500


class ModuleRef(msgspec.Struct, frozen=True):
    """A module at the version that it had when the run began."""

    name: str
    sha256: str


class FleetPlan(msgspec.Struct, frozen=True):
    """What a decision over an apply binds: each node's plan digest, their root, the action."""

    digests: dict[str, str]
    root: str
    action_hash: str


class RunDetails(msgspec.Struct, frozen=True):
    """What was asked for, besides what the reducer needs; `operations` maps node to operation.

    `rollback_of` is the operation that is to be taken back, in place of modules.
    """

    scope: str
    created_at: float
    actor: Principal
    modules: tuple[ModuleRef, ...]
    removal_limit: int
    operations: dict[str, str]
    plan: FleetPlan | None = None
    rollback_of: str | None = None
    command: Command | None = None


class StoredRun(msgspec.Struct, frozen=True):
    """One run."""

    definition: RunDefinition
    details: RunDetails
    state: RunState

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.definition.run_id


class Operation(msgspec.Struct, frozen=True):
    """Where an operation belongs."""

    operation_id: str
    run_id: str
    node_id: str


_definitions = msgspec.msgpack.Decoder(RunDefinition)
_details = msgspec.msgpack.Decoder(RunDetails)
_states = msgspec.msgpack.Decoder(RunState)
_events: msgspec.msgpack.Decoder[RunEvent] = msgspec.msgpack.Decoder(RunEvent)
_pack = msgspec.msgpack.encode

# Built once: building a statement costs twice what running it does, and these run per report.
_GET = select(schema.runs).where(schema.runs.c.run_id == bindparam("run"))
_UPDATE = update(schema.runs).where(schema.runs.c.run_id == bindparam("run"))
_PHASE = select(schema.runs.c.phase).where(schema.runs.c.run_id == bindparam("run"))
_LIVE_ON = (
    select(schema.runs)
    .where(
        schema.runs.c.run_id.in_(
            select(schema.run_steps.c.run_id).where(
                schema.run_steps.c.node_id == bindparam("node"), schema.run_steps.c.live
            )
        ),
        schema.runs.c.phase.in_(("queued", "running")),
    )
    .order_by(schema.runs.c.created_at, schema.runs.c.run_id)
)
_WAITING = select(schema.runs).where(
    schema.runs.c.plan_run_id == bindparam("plan"), schema.runs.c.phase == "planning"
)
# Named one by one, so that the index on the phase is of use: most runs are over.
_OPEN = schema.runs.c.phase.in_(sorted(set(get_args(RunPhase)) - RUN_FINAL))
_UNFINISHED = select(schema.runs).where(_OPEN).order_by(schema.runs.c.created_at)
_COUNT_UNFINISHED = select(func.count()).select_from(schema.runs).where(_OPEN)
_LAST = schema.run_events.alias("last")
_NEXT_SEQ = (
    select(func.coalesce(func.max(_LAST.c.seq), 0) + 1)
    .where(_LAST.c.run_id == bindparam("run"))
    .scalar_subquery()
)
_INSERT_EVENT = insert(schema.run_events).values(
    run_id=bindparam("run"), seq=_NEXT_SEQ, at=bindparam("moment"), event=bindparam("packed")
)
_END_ALL = update(schema.run_steps).where(schema.run_steps.c.run_id == bindparam("run"))
_END_STEP = _END_ALL.where(schema.run_steps.c.node_id == bindparam("node"))
# Events that move one step; all others may move every step of a run.
OfStep = HostReport | Offered | LeaseRenewed | StepWithdrawn | StepExpired


def add(tx: Tx, run: StoredRun) -> None:
    """Store a new run."""
    details, definition = run.details, run.definition
    tx.conn.execute(
        insert(schema.runs).values(
            run_id=run.run_id,
            scope=details.scope,
            step=definition.step,
            created_at=details.created_at,
            definition=_pack(definition),
            **_changing(run),
        )
    )
    rows = [
        {
            "run_id": run.run_id,
            "node_id": node,
            "operation_id": details.operations[node],
            "step": definition.step,
            "scope": details.scope,
            "created_at": details.created_at,
            "live": True,
        }
        for node in definition.nodes
    ]
    tx.conn.execute(insert(schema.run_steps), rows)


def save(tx: Tx, run: StoredRun, event: RunEvent) -> None:
    """Store what an event has made of a run, and the event."""
    line = {"run": run.run_id, "moment": event.at, "packed": _pack(event)}
    tx.conn.execute(_INSERT_EVENT, line)
    save_details(tx, run)
    if run.state.phase in RUN_FINAL:
        tx.conn.execute(_END_ALL, {"run": run.run_id, "live": False})
        return
    moved = (event.node,) if isinstance(event, OfStep) else run.definition.nodes
    for node in moved:
        if node in run.state.steps and run.state.steps[node].phase in STEP_FINAL:
            tx.conn.execute(_END_STEP, {"run": run.run_id, "node": node, "live": False})


def save_details(tx: Tx, run: StoredRun) -> None:
    """Store what changed in a run without an event."""
    tx.conn.execute(_UPDATE, {"run": run.run_id, **_changing(run)})
    tx.memory[_name(run.run_id)] = run


def _changing(run: StoredRun) -> dict[str, str | bytes | None]:
    return {
        "phase": run.state.phase,
        "plan_run_id": run.state.plan_run_id,
        "details": _pack(run.details),
        "state": _pack(run.state),
    }


def get(tx: Tx, run_id: str) -> StoredRun | None:
    """Return one run, or None."""
    # A batch of reports asks for the same run again and again; with 1,000 hosts it is large.
    known = tx.memory.get(_name(run_id))
    if isinstance(known, StoredRun):
        return known
    row = tx.conn.execute(_GET, {"run": run_id}).first()
    if row is None:
        return None
    run = _run(row)
    tx.memory[_name(run_id)] = run
    return run


def _name(run_id: str) -> str:
    return f"run:{run_id}"


def listing(
    tx: Tx,
    *,
    limit: int,
    offset: int = 0,
    scope: str | None = None,
    phase: RunPhase | None = None,
    node_id: str | None = None,
) -> tuple[tuple[StoredRun, ...], int]:
    """Return runs, newest first, and how many there are in all."""
    runs, steps = schema.runs, schema.run_steps
    query = select(runs)
    if scope is not None:
        query = query.where(runs.c.scope == scope)
    if phase is not None:
        query = query.where(runs.c.phase == phase)
    if node_id is not None:
        query = query.where(
            runs.c.run_id.in_(select(steps.c.run_id).where(steps.c.node_id == node_id))
        )
    total = _count(tx, query)
    ordered = query.order_by(desc(runs.c.created_at), desc(runs.c.run_id))
    page = ordered.limit(min(limit, MAX_PAGE)).offset(offset)
    return tuple(_run(row) for row in tx.conn.execute(page)), total


def unfinished(tx: Tx) -> tuple[StoredRun, ...]:
    """Return the runs that may still move, oldest first."""
    return tuple(_run(row) for row in tx.conn.execute(_UNFINISHED))


def count_unfinished(tx: Tx) -> int:
    """Return how many runs may still move."""
    return int(tx.conn.execute(_COUNT_UNFINISHED).scalar_one())


def busiest(tx: Tx, nodes: Collection[str]) -> tuple[str, int] | None:
    """Return the node that has the most unfinished runs and how many, None if none has any."""
    table = schema.run_steps
    count = func.count().label("runs")
    query = select(table.c.node_id, count).where(table.c.node_id.in_(nodes), table.c.live)
    row = tx.conn.execute(query.group_by(table.c.node_id).order_by(desc(count)).limit(1)).first()
    return (str(row[0]), int(row[1])) if row is not None else None


def phase_of(tx: Tx, run_id: str) -> RunPhase | None:
    """Return a run's phase, or None."""
    phase: RunPhase | None = tx.conn.execute(_PHASE, {"run": run_id}).scalar()
    return phase


def live_on(tx: Tx, node_id: str) -> tuple[StoredRun, ...]:
    """Return the runs in which a node may still have something to do, oldest first."""
    return tuple(_run(row) for row in tx.conn.execute(_LIVE_ON, {"node": node_id}))


def waiting_for_plan(tx: Tx, plan_run_id: str) -> tuple[StoredRun, ...]:
    """Return the applies that wait for a plan run to end."""
    return tuple(_run(row) for row in tx.conn.execute(_WAITING, {"plan": plan_run_id}))


def events_of(
    tx: Tx, run_id: str, after: int = 0, *, limit: int = -1
) -> tuple[tuple[int, RunEvent], ...]:
    """Return a run's events with their numbers, oldest first; a negative limit means all."""
    table = schema.run_events
    rows = tx.conn.execute(
        select(table.c.seq, table.c.event)
        .where(table.c.run_id == run_id, table.c.seq > after)
        .order_by(table.c.seq)
        .limit(limit)
    )
    return tuple((row.seq, _events.decode(row.event)) for row in rows)


def operation(tx: Tx, operation_id: str, step: StepKind) -> Operation | None:
    """Return where an operation belongs, or None."""
    table = schema.run_steps
    row = tx.conn.execute(
        select(table).where(table.c.operation_id == operation_id, table.c.step == step)
    ).first()
    return Operation(row.operation_id, row.run_id, row.node_id) if row is not None else None


def operations(
    tx: Tx, step: StepKind, *, limit: int, offset: int, node_id: str | None = None
) -> tuple[tuple[Operation, ...], int]:
    """Return operations, newest first, and how many there are in all."""
    table = schema.run_steps
    query = select(table).where(table.c.step == step)
    if node_id is not None:
        query = query.where(table.c.node_id == node_id)
    total = _count(tx, query)
    ordered = query.order_by(desc(table.c.created_at), desc(table.c.operation_id))
    rows = tx.conn.execute(ordered.limit(min(limit, MAX_PAGE)).offset(offset))
    return tuple(Operation(row.operation_id, row.run_id, row.node_id) for row in rows), total


def _count(tx: Tx, query: Select[*tuple[object, ...]]) -> int:
    return int(tx.conn.execute(select(func.count()).select_from(query.subquery())).scalar_one())


def some(tx: Tx, run_ids: Collection[str]) -> dict[str, StoredRun]:
    """Return several runs by id."""
    query = select(schema.runs).where(schema.runs.c.run_id.in_(sorted(run_ids)))
    return {row.run_id: _run(row) for row in tx.conn.execute(query)}


def _run(row: Row[*tuple[object, ...]]) -> StoredRun:
    return StoredRun(
        _definitions.decode(row.definition),
        _details.decode(row.details),
        _states.decode(row.state),
    )
