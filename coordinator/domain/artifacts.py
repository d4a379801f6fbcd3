"""Uploaded artifacts: bytes that modules name by digest. What hosts send is not among them."""

from __future__ import annotations

import msgspec

from coordinator.domain.actor import Actor
from coordinator.domain.outcomes import sure
from coordinator.domain.refusals import Refusal, not_found
from coordinator.store import artifacts, records
from coordinator.store.artifact_files import Incoming
from coordinator.store.database import Tx
from coordinator.store.events import NewEvent, Principal
from coordinator.store.records import Record
from protocol import ids
from protocol.api_artifacts import UploadedArtifact

KIND = "artifact"
SCOPE = ids.DEFAULT_SCOPE


class ArtifactSpec(msgspec.Struct, frozen=True):
    """What its upload said of an artifact; the record's name is its digest."""

    title: str
    size: int
    uploaded_at: float
    uploaded_by: str


def store(
    tx: Tx, by: Actor, sha256: str, title: str, incoming: Incoming
) -> UploadedArtifact | Refusal:
    """Store what was uploaded whole; the same bytes again change nothing but the title."""
    if artifacts.adopt(tx, incoming, sha256, "upload") == "over_quota":
        return Refusal("unavailable", "the artifact store is full")
    artifacts.refer(tx, sha256, SCOPE, "upload")
    old = records.get(tx, KIND, SCOPE, sha256)
    spec = ArtifactSpec(title, incoming.size, tx.now, by.username)
    stored = (
        records.create(tx, kind=KIND, scope=SCOPE, name=sha256, spec=spec)
        if old is None
        else records.update(tx, old.uid, spec=spec)
    )
    made = sure(stored, f"artifact {sha256}")
    summary = f"artifact {sha256[:16]} of {incoming.size} bytes was uploaded"
    target = Principal("artifact", sha256, title)
    tx.emit(NewEvent("artifact.uploaded", SCOPE, by.principal(), target, summary))
    return _view(made)


def listing(tx: Tx) -> tuple[UploadedArtifact, ...]:
    """Return all uploaded artifacts, newest first."""
    found = (_view(record) for record in records.listing(tx, KIND, SCOPE))
    return tuple(sorted(found, key=lambda one: (-one.uploaded_at, one.sha256)))


def get(tx: Tx, sha256: str) -> UploadedArtifact | Refusal:
    """Return what is known of one uploaded artifact."""
    record = records.get(tx, KIND, SCOPE, sha256)
    return not_found("artifact", sha256) if record is None else _view(record)


def _view(record: Record) -> UploadedArtifact:
    spec = record.spec_as(ArtifactSpec)
    return UploadedArtifact(
        sha256=record.name or "",
        size=spec.size,
        name=spec.title,
        uploaded_at=int(spec.uploaded_at),
        uploaded_by=spec.uploaded_by,
    )
