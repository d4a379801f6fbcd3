"""Sealed secrets: ciphertext, keys wrapped for recipients, and to whom each version was given.

Nothing here can be read without a recipient's key. Old versions are destroyed, not kept.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, Table, and_, delete, insert, select, update

from coordinator.store.database import Tx
from coordinator.store.schema_secrets import (
    secret_deliveries,
    secret_names,
    secret_versions,
    secret_wraps,
)
from protocol import dsse


class Ref(msgspec.Struct, frozen=True):
    """A secret by its scope and name."""

    scope: str
    name: str


class StoredVersion(msgspec.Struct, frozen=True):
    """One version as it was brought: the signed document and the sealed bytes."""

    version: int
    envelope: dsse.Envelope
    ciphertext: bytes


def last_version(tx: Tx, ref: Ref) -> int:
    """Return the highest version that a name ever had, 0 if none."""
    query = select(secret_names.c.last_version).where(_is(secret_names, ref))
    return int(tx.conn.execute(query).scalar() or 0)


def put_version(tx: Tx, ref: Ref, stored: StoredVersion, wraps: dict[str, bytes]) -> None:
    """Store a new version, and destroy those before it."""
    destroy(tx, ref)
    if last_version(tx, ref):
        values = {"last_version": stored.version, "warned": None}
        tx.conn.execute(update(secret_names).where(_is(secret_names, ref)).values(**values))
    else:
        row = {**msgspec.structs.asdict(ref), "last_version": stored.version}
        tx.conn.execute(insert(secret_names).values(**row))
    tx.conn.execute(
        insert(secret_versions).values(
            scope=ref.scope,
            name=ref.name,
            version=stored.version,
            envelope=dsse.encode(stored.envelope).decode(),
            ciphertext=stored.ciphertext,
            created_at=tx.now,
        )
    )
    put_wraps(tx, ref, stored.version, wraps)


def set_envelope(tx: Tx, ref: Ref, version: int, envelope: dsse.Envelope) -> None:
    """Replace the signed document of a version; what was warned of its end is forgotten."""
    tx.conn.execute(
        update(secret_versions)
        .where(_is(secret_versions, ref), secret_versions.c.version == version)
        .values(envelope=dsse.encode(envelope).decode())
    )
    tx.conn.execute(update(secret_names).where(_is(secret_names, ref)).values(warned=None))


def get_version(tx: Tx, ref: Ref, version: int) -> StoredVersion | None:
    """Return a version, or None if it was destroyed or never was."""
    table = secret_versions
    query = select(table).where(_is(table, ref), table.c.version == version)
    row = tx.conn.execute(query).first()
    if row is None:
        return None
    return StoredVersion(row.version, dsse.decode(row.envelope.encode()), bytes(row.ciphertext))


def put_wraps(tx: Tx, ref: Ref, version: int, wraps: dict[str, bytes]) -> None:
    """Store wrapped keys; one for the same recipient takes the place of the one before."""
    if not wraps:
        return
    table = secret_wraps
    where = (_is(table, ref), table.c.version == version)
    tx.conn.execute(delete(table).where(*where, table.c.recipient.in_(list(wraps))))
    rows = [
        {
            "scope": ref.scope,
            "name": ref.name,
            "version": version,
            "recipient": recipient,
            "wrapped": wrapped,
        }
        for recipient, wrapped in wraps.items()
    ]
    tx.conn.execute(insert(table), rows)


def clear_wraps(tx: Tx, ref: Ref) -> None:
    """Destroy all wrapped keys of a secret."""
    tx.conn.execute(delete(secret_wraps).where(_is(secret_wraps, ref)))


def recipients(tx: Tx, ref: Ref, version: int) -> tuple[str, ...]:
    """Return for whom the key of a version is wrapped, sorted."""
    table = secret_wraps
    query = select(table.c.recipient).where(_is(table, ref), table.c.version == version)
    return tuple(sorted(str(row.recipient) for row in tx.conn.execute(query)))


def wrapped_for(tx: Tx, ref: Ref, version: int, recipient: str) -> bytes | None:
    """Return the key of a version as it is wrapped for one recipient."""
    table = secret_wraps
    row = tx.conn.execute(
        select(table.c.wrapped).where(
            _is(table, ref), table.c.version == version, table.c.recipient == recipient
        )
    ).first()
    return None if row is None else bytes(row.wrapped)


def destroy(tx: Tx, ref: Ref) -> None:
    """Destroy ciphertext and wrapped keys of a secret; that its versions were stays known."""
    tx.conn.execute(delete(secret_versions).where(_is(secret_versions, ref)))
    clear_wraps(tx, ref)


def delivered(tx: Tx, ref: Ref) -> dict[str, int]:
    """Return the newest version that was sent to each host to be applied."""
    query = select(secret_deliveries).where(_is(secret_deliveries, ref))
    return {row.node_id: row.version for row in tx.conn.execute(query)}


def set_delivered(tx: Tx, ref: Ref, node_id: str, version: int) -> None:
    """Note that a version goes to a host to be applied."""
    table = secret_deliveries
    where = (_is(table, ref), table.c.node_id == node_id)
    done = tx.conn.execute(update(table).where(*where).values(version=version, at=tx.now))
    if done.rowcount == 0:
        row = {**msgspec.structs.asdict(ref), "node_id": node_id, "version": version, "at": tx.now}
        tx.conn.execute(insert(table).values(**row))


def forget_deliveries(tx: Tx, ref: Ref) -> None:
    """Forget who was given a secret, when it is deleted."""
    tx.conn.execute(delete(secret_deliveries).where(_is(secret_deliveries, ref)))


def warned(tx: Tx, ref: Ref) -> int | None:
    """Return the days before its end that were warned of last, None if nothing was said."""
    query = select(secret_names.c.warned).where(_is(secret_names, ref))
    found = tx.conn.execute(query).scalar()
    return None if found is None else int(found)


def set_warned(tx: Tx, ref: Ref, days: int) -> None:
    """Note what was warned of."""
    tx.conn.execute(update(secret_names).where(_is(secret_names, ref)).values(warned=days))


def _is(table: Table, ref: Ref) -> ColumnElement[bool]:  # type: ignore[explicit-any] # Table is generic
    return and_(table.c.scope == ref.scope, table.c.name == ref.name)
