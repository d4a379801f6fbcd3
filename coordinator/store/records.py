"""The record kernel: versioned objects of every kind, with compare-and-set.

Kinds and their specs belong to the domain; here a spec is JSON. A deleted record stays as a
tombstone, and its name is free again.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from sqlalchemy import Row, Select, bindparam, insert, select
from sqlalchemy import update as sql_update

from coordinator.store import schema
from coordinator.store.counters import next_value
from coordinator.store.database import Tx
from protocol import ids

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True):
    """One record; `spec` and `status` are JSON bytes, read them with `spec_as` and `status_as`.

    `resource_version` is of one sequence over all records and rises with every change,
    `generation` rises when the spec changes. Times are seconds since the epoch.
    """

    uid: str
    kind: str
    scope: str
    name: str | None
    resource_version: int
    generation: int
    spec: bytes
    status: bytes
    labels: dict[str, str]
    created_at: float
    updated_at: float
    deleted_at: float | None = None

    def spec_as(self, kind: type[T]) -> T:
        """Return the spec as a struct."""
        return msgspec.json.decode(self.spec, type=kind)

    def status_as(self, kind: type[T]) -> T:
        """Return the status as a struct."""
        return msgspec.json.decode(self.status, type=kind)


class NameTaken(msgspec.Struct, frozen=True):
    """Another live record of this kind and scope has this name, or one that looks the same."""

    name: str
    uid: str


class Conflict(msgspec.Struct, frozen=True):
    """The record has changed since the version that the caller expected."""

    expected: int
    actual: int


class NotFound(msgspec.Struct, frozen=True):
    """There is no such live record."""

    uid: str


class _Keep(msgspec.Struct, frozen=True):
    """Marks an argument of `update` that was not given."""


_KEEP = _Keep()

# Built once: building a statement costs twice what running it does, and this runs per heartbeat.
_BY_UID = select(schema.records).where(
    schema.records.c.kind == bindparam("kind"),
    schema.records.c.uid == bindparam("uid"),
    schema.records.c.deleted_at.is_(None),
)


def create(
    tx: Tx,
    *,
    kind: str,
    scope: str,
    spec: msgspec.Struct,
    status: msgspec.Struct | None = None,
    name: str | None = None,
    labels: dict[str, str] | None = None,
    uid: str | None = None,
) -> Record | NameTaken:
    """Make a record and return it; without `uid` it gets a ULID.

    A tombstone of the same uid is replaced: a host that was deleted may come again.
    """
    if name is not None and (other := _holder(tx, kind, scope, name)) is not None:
        return NameTaken(name, other)
    record = Record(
        uid=uid or tx.ulid(),
        kind=kind,
        scope=scope,
        name=name,
        resource_version=next_value(tx, "resource_version"),
        generation=1,
        spec=msgspec.json.encode(spec),
        status=msgspec.json.encode(status) if status is not None else b"{}",
        labels=labels or {},
        created_at=tx.now,
        updated_at=tx.now,
    )
    table = schema.records
    tx.conn.execute(
        table.delete().where(table.c.uid == record.uid, table.c.deleted_at.is_not(None))
    )
    tx.conn.execute(insert(table).values(uid=record.uid, **_row(record)))
    return record


def get(tx: Tx, kind: str, scope: str, name: str) -> Record | None:
    """Return the live record with this name (or one that looks the same), or None."""
    table = schema.records
    return _first(
        tx,
        _live(kind).where(table.c.scope == scope, table.c.folded == ids.fold_name(name)),
    )


def get_by_uid(tx: Tx, kind: str, uid: str) -> Record | None:
    """Return the live record with this uid, or None."""
    row = tx.conn.execute(_BY_UID, {"kind": kind, "uid": uid}).first()
    return _record(row) if row is not None else None


def listing(
    tx: Tx,
    kind: str,
    scope: str | None = None,
    *,
    labels: dict[str, str] | None = None,
    deleted: bool = False,
    unnamed: bool = False,
) -> tuple[Record, ...]:
    """Return the live records of a kind, oldest first.

    `deleted` adds the tombstones; `unnamed` leaves out all that have a name.
    """
    table = schema.records
    query = select(table).where(table.c.kind == kind) if deleted else _live(kind)
    if scope is not None:
        query = query.where(table.c.scope == scope)
    if unnamed:
        query = query.where(table.c.name.is_(None))
    rows = tx.conn.execute(query.order_by(table.c.created_at, table.c.uid))
    wanted = (labels or {}).items()
    return tuple(record for row in rows if wanted <= (record := _record(row)).labels.items())


def update(
    tx: Tx,
    uid: str,
    *,
    expected: int | None = None,
    spec: msgspec.Struct | _Keep = _KEEP,
    status: msgspec.Struct | _Keep = _KEEP,
    labels: dict[str, str] | _Keep = _KEEP,
    name: str | _Keep | None = _KEEP,
) -> Record | Conflict | NotFound | NameTaken:
    """Change what is given and return the new record; a change that changes nothing is free.

    `expected` is the resource version that the caller has seen; None changes whatever is there.
    """
    old = _first(tx, _any_live().where(schema.records.c.uid == uid))
    if old is None:
        return NotFound(uid)
    if expected is not None and expected != old.resource_version:
        return Conflict(expected, old.resource_version)
    new_name = old.name if isinstance(name, _Keep) else name
    if new_name is not None and new_name != old.name:
        other = _holder(tx, old.kind, old.scope, new_name)
        if other not in {None, uid}:
            return NameTaken(new_name, other or "")
    new_spec = old.spec if isinstance(spec, _Keep) else msgspec.json.encode(spec)
    new = msgspec.structs.replace(
        old,
        name=new_name,
        spec=new_spec,
        status=old.status if isinstance(status, _Keep) else msgspec.json.encode(status),
        labels=old.labels if isinstance(labels, _Keep) else labels,
        generation=old.generation + (new_spec != old.spec),
    )
    return old if new == old else _replace(tx, new)


def delete(tx: Tx, uid: str, *, expected: int | None = None) -> Record | Conflict | NotFound:
    """Turn a live record into a tombstone and return it."""
    old = _first(tx, _any_live().where(schema.records.c.uid == uid))
    if old is None:
        return NotFound(uid)
    if expected is not None and expected != old.resource_version:
        return Conflict(expected, old.resource_version)
    return _replace(tx, msgspec.structs.replace(old, deleted_at=tx.now))


def _replace(tx: Tx, record: Record) -> Record:
    stored = msgspec.structs.replace(
        record, resource_version=next_value(tx, "resource_version"), updated_at=tx.now
    )
    table = schema.records
    tx.conn.execute(sql_update(table).where(table.c.uid == record.uid).values(**_row(stored)))
    return stored


def _row(record: Record) -> dict[str, str | int | float | None]:
    return {
        "kind": record.kind,
        "scope": record.scope,
        "name": record.name,
        "folded": ids.fold_name(record.name) if record.name is not None else None,
        "resource_version": record.resource_version,
        "generation": record.generation,
        "spec": record.spec.decode(),
        "status": record.status.decode(),
        "labels": msgspec.json.encode(record.labels).decode(),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "deleted_at": record.deleted_at,
    }


def _any_live() -> Select[*tuple[object, ...]]:
    return select(schema.records).where(schema.records.c.deleted_at.is_(None))


def _live(kind: str) -> Select[*tuple[object, ...]]:
    return _any_live().where(schema.records.c.kind == kind)


def _holder(tx: Tx, kind: str, scope: str, name: str) -> str | None:
    held = get(tx, kind, scope, name)
    return held.uid if held is not None else None


def _first(tx: Tx, query: Select[*tuple[object, ...]]) -> Record | None:
    row = tx.conn.execute(query).first()
    return _record(row) if row is not None else None


def _record(row: Row[*tuple[object, ...]]) -> Record:
    return Record(
        uid=row.uid,
        kind=row.kind,
        scope=row.scope,
        name=row.name,
        resource_version=row.resource_version,
        generation=row.generation,
        spec=row.spec.encode(),
        status=row.status.encode(),
        labels=msgspec.json.decode(row.labels, type=dict[str, str]),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )
