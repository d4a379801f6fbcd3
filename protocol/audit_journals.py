"""Hosts' journals as evidence: each host's own chain, signed by it, and the heads it has seen.

Bodies are not needed: an entry's hash covers the digest of its body. Pure.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from protocol import ids, journal, keys
from protocol.audit_chain import MAX_FINDINGS, Finding
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.messages import Audit

# The journal line by which a host says which head of the event log it has been shown.
HEAD_EVENT = "audit.head"


class JournalLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry as it is exported: hashes and key in hex, signature and body in base64.

    `body` is there for audit entries alone.
    """

    node_id: str
    public_key: str
    seq: int
    prev: str
    at: float
    kind: str
    body_digest: str
    sig: str
    body: str | None = None


class Seen(msgspec.Struct, frozen=True):
    """A head of the event log that a host says it was shown."""

    seq: int
    hash: str


def note_head(seq: int, digest: str) -> Audit:
    """Return the audit entry by which a host keeps a head of the event log in its journal."""
    return Audit(HEAD_EVENT, f"{seq} {digest}")


def noted_head(body: Audit) -> Seen | None:
    """Return the head that an audit entry keeps, None if it is about something else."""
    number, _, digest = body.message.partition(" ")
    if body.event != HEAD_EVENT or not number.isascii() or not number.isdigit():
        return None
    if len(number) > 15:
        return None
    try:
        ids.check_hex64(digest, "hash")
    except InvalidName:
        return None
    return Seen(int(number), digest)


class Journals:
    """Takes entries, grouped by host and in order, and finds what is wrong with their chains."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._node = ""
        self._seq = 0
        self._hash = b""
        self.entries = 0
        self.nodes: set[str] = set()
        # Hosts that sign with another key than their id commits to: they came back with a new one.
        self.recovered: set[str] = set()
        self._keys: dict[str, bytes] = {}
        self.seen: list[tuple[str, Seen]] = []

    def feed(self, raw: bytes) -> None:
        """Look at the next entry."""
        self.entries += 1
        try:
            line = msgspec.json.decode(raw, type=JournalLine)
            self._take(line)
        except (DecodeError, InvalidName, binascii.Error, ValueError, *MALFORMED) as error:
            text = f"entry {self.entries} of the journals: {error}"
            if len(self.findings) < MAX_FINDINGS:
                self.findings.append(Finding("journal_broken", 0, text))

    def _take(self, line: JournalLine) -> None:
        public = ids.check_hex64(line.public_key, "public_key")
        prev = ids.check_hex64(line.prev, "prev")
        digest = ids.check_hex64(line.body_digest, "body_digest")
        own = journal.hash_from_digest(line.seq, prev, line.at, line.kind, digest)
        follows = line.node_id != self._node or (line.seq == self._seq + 1 and prev == self._hash)
        after = self._seq
        if line.node_id != self._node and line.node_id in self.nodes:
            raise DecodeError(f"entries of host {line.node_id} stand in two places")
        self.nodes.add(line.node_id)
        self._node, self._seq, self._hash = line.node_id, line.seq, own
        if ids.node_id(public) != line.node_id:
            self.recovered.add(line.node_id)
        if self._keys.setdefault(line.node_id, public) != public:
            raise DecodeError(f"host {line.node_id} signs with two keys")
        if not keys.verify(public, base64.b64decode(line.sig, validate=True), own):
            raise DecodeError(f"host {line.node_id} did not sign entry {line.seq}")
        if not follows:
            raise DecodeError(f"entry {line.seq} of host {line.node_id} does not follow {after}")
        self._look(line, digest)

    def _look(self, line: JournalLine, digest: bytes) -> None:
        if line.kind != "audit" or line.body is None:
            return
        body = base64.b64decode(line.body, validate=True)
        if journal.body_digest(body) != digest:
            raise DecodeError(f"entry {line.seq} of host {line.node_id} has another body")
        seen = noted_head(msgspec.msgpack.decode(body, type=Audit))
        if seen is not None:
            self.seen.append((line.node_id, seen))
