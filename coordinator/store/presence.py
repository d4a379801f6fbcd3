"""What changes with every heartbeat of a host: connected or not, last seen, its facts.

Apart from the node's record, so that a heartbeat burns no resource version. No events are written
here.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from coordinator.store import schema
from coordinator.store.database import Tx

# Built once: building a statement costs twice what running it does, and this runs per heartbeat.
_UPDATE = update(schema.presence).where(schema.presence.c.node_id == bindparam("node"))
_GET = select(schema.presence).where(schema.presence.c.node_id == bindparam("node"))

Detail = int | float | str | None


class Presence(msgspec.Struct, frozen=True):
    """The link of one node as it is or was; `session` names the link, times are epoch seconds."""

    node_id: str
    connected: bool
    session: str
    connected_at: float
    last_seen_at: float
    peer: str
    hostname: str
    agent_version: str
    roster_version: int
    drift: str | None = None
    problems: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    details: dict[str, Detail] = {}


def connect(
    tx: Tx,
    node_id: str,
    *,
    session: str,
    peer: str,
    hostname: str,
    agent_version: str,
    roster_version: int,
) -> None:
    """Mark a node as connected by this session; what was there of another session gives way."""
    values: dict[str, str | float | int | bool] = {
        "connected": True,
        "session": session,
        "connected_at": tx.now,
        "last_seen_at": tx.now,
        "peer": peer,
        "hostname": hostname,
        "agent_version": agent_version,
        "roster_version": roster_version,
    }
    tx.conn.execute(
        insert(schema.presence)
        .values(node_id=node_id, problems="[]", attributes="{}", details="{}", **values)
        .on_conflict_do_update(index_elements=["node_id"], set_=values)
    )


def disconnect(tx: Tx, node_id: str, session: str) -> bool:
    """Mark a node as cut off, if this session is still its link; say whether it was."""
    table = schema.presence
    done = tx.conn.execute(
        update(table)
        .where(table.c.node_id == node_id, table.c.session == session, table.c.connected)
        .values(connected=False, last_seen_at=tx.now)
    )
    return done.rowcount == 1


def disconnect_all(tx: Tx) -> None:
    """Mark every node as cut off: at start-up no link of an earlier process is alive."""
    tx.conn.execute(update(schema.presence).values(connected=False))


def seen(tx: Tx, node_id: str, *, drift: str | None, problems: tuple[str, ...]) -> None:
    """Keep what a heartbeat said."""
    said = {"last_seen_at": tx.now, "drift": drift, "problems": _text(problems)}
    tx.conn.execute(_UPDATE, {"node": node_id, **said})


def set_drift(tx: Tx, node_id: str, status: str) -> None:
    """Keep what the newest drift record says, which the next heartbeat would say 15 s later."""
    tx.conn.execute(
        update(schema.presence).where(schema.presence.c.node_id == node_id).values(drift=status)
    )


def set_facts(tx: Tx, node_id: str, attributes: dict[str, str], details: dict[str, Detail]) -> None:
    """Replace a node's attribute map and details."""
    tx.conn.execute(
        update(schema.presence)
        .where(schema.presence.c.node_id == node_id)
        .values(attributes=_text(attributes), details=_text(details), last_seen_at=tx.now)
    )


def set_roster_version(tx: Tx, node_id: str, version: int) -> None:
    """Keep which roster version was sent to a node."""
    tx.conn.execute(
        update(schema.presence)
        .where(schema.presence.c.node_id == node_id)
        .values(roster_version=version)
    )


def forget(tx: Tx, node_id: str) -> None:
    """Remove what is kept of a node's link, when its record is deleted."""
    tx.conn.execute(schema.presence.delete().where(schema.presence.c.node_id == node_id))


def get(tx: Tx, node_id: str) -> Presence | None:
    """Return a node's presence, or None if it never connected."""
    row = tx.conn.execute(_GET, {"node": node_id}).first()
    return _presence(row) if row is not None else None


def everything(tx: Tx) -> dict[str, Presence]:
    """Return the presence of all nodes, by node id."""
    return {row.node_id: _presence(row) for row in tx.conn.execute(select(schema.presence))}


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _presence(row: Row[*tuple[object, ...]]) -> Presence:
    return Presence(
        node_id=row.node_id,
        connected=row.connected,
        session=row.session,
        connected_at=row.connected_at,
        last_seen_at=row.last_seen_at,
        peer=row.peer,
        hostname=row.hostname,
        agent_version=row.agent_version,
        roster_version=row.roster_version,
        drift=row.drift,
        problems=msgspec.json.decode(row.problems, type=tuple[str, ...]),
        attributes=msgspec.json.decode(row.attributes, type=dict[str, str]),
        details=msgspec.json.decode(row.details, type=dict[str, Detail]),
    )
