"""Artifacts: put together from chunks, named by SHA-256, visible through a reference in a scope.

The bytes lie in `coordinator.store.artifact_files`; here are the tables. Chunks wait in the
database, so that a chunk that was acknowledged is on disk.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from coordinator.store import counters, schema
from coordinator.store.artifact_files import Incoming
from coordinator.store.database import Tx
from protocol.limits import MAX_ARTIFACT
from protocol.messages import ArtifactChunk

# All artifacts together: 1,000 hosts with a plan and a result of 5 KiB a day, for three years.
QUOTA = 10 * 1024**3
# What one host may have begun and not completed: its largest artifact, once more for a resend.
MAX_BEGUN = 2 * MAX_ARTIFACT
# The counter of bytes that are kept.
_BYTES = "artifact_bytes"

# Built once: building a statement costs twice what running it does, and these run per result.
_refs, _chunks = schema.artifact_refs, schema.artifact_chunks
_FIND = select(schema.artifacts).where(schema.artifacts.c.sha256 == bindparam("digest"))
_SENT_BY = select(_refs.c.owner).where(
    _refs.c.sha256 == bindparam("digest"), _refs.c.owner == bindparam("by")
)
_REFER = insert(_refs).on_conflict_do_nothing()
_ADD_CHUNK = insert(_chunks).on_conflict_do_nothing()
_OF_NODE = _chunks.c.node_id == bindparam("node")
_OF_ARTIFACT = _OF_NODE & (_chunks.c.sha256 == bindparam("digest"))
_HELD = select(func.sum(func.length(_chunks.c.data)))
_HELD_OF_NODE = _HELD.where(_OF_NODE)
_HELD_OF_ARTIFACT = _HELD.where(_OF_ARTIFACT)
_PARTS = select(_chunks.c.data).where(_OF_ARTIFACT).order_by(_chunks.c.offset)
_DROP_PARTS = delete(_chunks).where(_OF_ARTIFACT)

ChunkOutcome = Literal["waiting", "stored", "over_quota", "invalid"]


class Artifact(msgspec.Struct, frozen=True):
    """What is known of an artifact; `kept` is False where the quota left no room for its bytes."""

    sha256: str
    size: int
    kind: str
    kept: bool
    created_at: float


def add_chunk(
    tx: Tx,
    node_id: str,
    scope: str,
    chunk: ArtifactChunk,
    *,
    quota: int = QUOTA,
    max_begun: int = MAX_BEGUN,
) -> ChunkOutcome:
    """Keep a chunk; with the last one, store the artifact and refer to it from the node.

    The same chunk again changes nothing. `invalid` means that the chunk lies about its size or
    that the whole does not have the digest: what was begun is dropped. A host sees an artifact
    only by sending all of it, never by naming a digest that another one's has.
    """
    if sent_by(tx, chunk.sha256, node_id):
        return "stored"
    if not _sound(chunk):
        return "invalid"
    table = schema.artifact_chunks
    if _begun(tx, node_id) + len(chunk.data) > max_begun:
        # Only a host that begins and never completes comes here; its own rest is what it loses.
        tx.conn.execute(delete(table).where(table.c.node_id == node_id))
        return "invalid"
    tx.conn.execute(_ADD_CHUNK, {"node_id": node_id, **msgspec.structs.asdict(chunk)})
    return _complete(tx, node_id, scope, chunk, quota)


def _sound(chunk: ArtifactChunk) -> bool:
    end = chunk.offset + len(chunk.data)
    return (
        chunk.offset >= 0
        and end <= chunk.size <= MAX_ARTIFACT
        and (len(chunk.data) > 0 or chunk.size == 0)
    )


def _begun(tx: Tx, node_id: str) -> int:
    return int(tx.conn.execute(_HELD_OF_NODE, {"node": node_id}).scalar() or 0)


def _complete(tx: Tx, node_id: str, scope: str, chunk: ArtifactChunk, quota: int) -> ChunkOutcome:
    mine = {"node": node_id, "digest": chunk.sha256}
    held = tx.conn.execute(_HELD_OF_ARTIFACT, mine).scalar() or 0
    if int(held) < chunk.size:
        return "waiting"
    parts = tx.conn.execute(_PARTS, mine)
    data = b"".join(bytes(part.data) for part in parts)
    tx.conn.execute(_DROP_PARTS, mine)
    if len(data) != chunk.size or hashlib.sha256(data).hexdigest() != chunk.sha256:
        return "invalid"
    refer(tx, chunk.sha256, scope, _owner(node_id))
    return put(tx, data, chunk.kind, quota=quota)


def _owner(node_id: str) -> str:
    return f"node:{node_id}"


def sent_by(tx: Tx, sha256: str, node_id: str) -> bool:
    """Say whether a node has sent the whole of an artifact."""
    asked = {"digest": sha256, "by": _owner(node_id)}
    return tx.conn.execute(_SENT_BY, asked).first() is not None


def put(tx: Tx, data: bytes, kind: str, *, quota: int = QUOTA) -> Literal["stored", "over_quota"]:
    """Store whole bytes under their digest: on disk before the row that names them.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    known = find(tx, sha256)
    if known is not None:
        return "stored" if known.kept else "over_quota"
    kept = counters.value(tx, _BYTES) + len(data) <= quota
    if kept:
        tx.files.put(sha256, data)
        counters.add(tx, _BYTES, len(data))
    tx.conn.execute(
        insert(schema.artifacts).values(
            sha256=sha256, size=len(data), kind=kind, kept=kept, created_at=tx.now
        )
    )
    return "stored" if kept else "over_quota"


def adopt(
    tx: Tx, incoming: Incoming, sha256: str, kind: str, *, quota: int = QUOTA
) -> Literal["stored", "over_quota"]:
    """Store bytes that came piece by piece; of what has no room, nothing is remembered.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    known = find(tx, sha256)
    if known is not None and known.kept:
        return "stored"
    if counters.value(tx, _BYTES) + incoming.size > quota:
        return "over_quota"
    incoming.keep(sha256)
    counters.add(tx, _BYTES, incoming.size)
    values = {"sha256": sha256, "size": incoming.size, "kind": kind, "kept": True}
    tx.conn.execute(
        insert(schema.artifacts)
        .values(**values, created_at=tx.now)
        .on_conflict_do_update(index_elements=["sha256"], set_={"kept": True})
    )
    return "stored"


def find(tx: Tx, sha256: str) -> Artifact | None:
    """Return what is known of an artifact that came whole, or None."""
    row = tx.conn.execute(_FIND, {"digest": sha256}).first()
    if row is None:
        return None
    return Artifact(row.sha256, row.size, row.kind, row.kept, row.created_at)


def refer(tx: Tx, sha256: str, scope: str, owner: str) -> None:
    """Let a scope see an artifact; `owner` names what refers to it, such as a run id."""
    tx.conn.execute(_REFER, {"sha256": sha256, "scope": scope, "owner": owner})


def read(tx: Tx, sha256: str, scope: str | None = None) -> bytes | None:
    """Return an artifact's bytes, or None: unknown, not kept, lost, or no reference in the scope.

    `scope` None asks without regard to scopes, for the coordinator's own use.
    """
    refs = schema.artifact_refs
    if scope is not None:
        query = select(refs.c.owner).where(refs.c.sha256 == sha256, refs.c.scope == scope).limit(1)
        if tx.conn.execute(query).first() is None:
            return None
    known = find(tx, sha256)
    return tx.files.get(sha256) if known is not None and known.kept else None
