"""The event log and the hosts' journals as whoever wants to check them needs them: as stored."""

from __future__ import annotations

import base64

import msgspec

from coordinator.domain.agents import KIND, NodeSpec
from coordinator.store import audit, journals, records
from coordinator.store.database import Tx
from coordinator.store.journals import StoredEntry
from protocol.audit_journals import JournalLine

# Lines in one answer: 5,000 of about 1 KiB are 5 MiB, made in 50 ms.
MAX_LINES = 5_000
DEFAULT_LINES = 500
_encoder = msgspec.json.Encoder()


def lines(tx: Tx, after: int, limit: int) -> bytes:
    """Return lines after a sequence, one JSON object each."""
    return _encoder.encode_lines(audit.lines(tx, after, limit))


def journals_after(tx: Tx, node_id: str, after: int, limit: int) -> bytes:
    """Return entries by host and sequence, after one of a host, one JSON object each."""
    found = journals.page(tx, node_id, after, limit)
    keys: dict[str, str] = {}
    for node in {one.node_id for one in found}:
        record = records.get_by_uid(tx, KIND, node)
        keys[node] = record.spec_as(NodeSpec).public_key if record is not None else ""
    return _encoder.encode_lines([_line(one, keys[one.node_id]) for one in found])


def _line(one: StoredEntry, public_key: str) -> JournalLine:
    shown = one.kind == "audit" and one.body is not None
    return JournalLine(
        node_id=one.node_id,
        public_key=public_key,
        seq=one.seq,
        prev=one.prev.hex(),
        at=one.at,
        kind=one.kind,
        body_digest=one.body_digest.hex(),
        sig=base64.b64encode(one.sig).decode(),
        body=base64.b64encode(one.body or b"").decode() if shown else None,
    )
