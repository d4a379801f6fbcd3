"""An event log in memory: signed and pruned as a coordinator does, until a test bends it."""

from __future__ import annotations

import base64
import hashlib
from itertools import starmap

import msgspec

from protocol import audit_heads, dsse, journal
from protocol.api_audit import AuditHead, KnownLine
from protocol.audit_chain import GENESIS, Line
from protocol.audit_heads import Head
from protocol.audit_journals import JournalLine, note_head
from protocol.ids import node_id
from protocol.keys import SigningKey
from protocol.messages import Audit, encode_body
from tests.fakes.api_server import FakeCoordinator, Reply, Request

KEY = SigningKey(b"\x07" * 32)


def line(seq: int, prev: str, summary: str, kind: str = "x.y", data: str = "{}") -> Line:
    """Return a line whose hash is right."""
    who = msgspec.Raw(b'{"type":"operator","id":"o","name":"ada"}')
    made = Line(
        seq, f"id{seq}", 1.5, "s", kind, "info", who, who, "o", summary,
        msgspec.Raw(data.encode()), prev, "",
    )  # fmt: skip
    return rehashed(made)


def rehashed(made: Line) -> Line:
    """Return a line with the hash that its content has."""
    return msgspec.structs.replace(made, hash=made.own_hash())


class AuditLog:
    """Lines, signed heads and prune statements of one coordinator key."""

    def __init__(self, count: int = 0, key: SigningKey = KEY) -> None:
        self.key = key
        self.lines: list[Line] = []
        self.tombstones: list[dsse.Envelope] = []
        self.journals: list[JournalLine] = []
        self._prev = GENESIS.hex()
        self._seq = 0
        for number in range(count):
            self.add(f"event {number + 1}")

    def add(self, summary: str, kind: str = "x.y", data: str = "{}") -> None:
        """Append a line."""
        self._seq += 1
        self.lines.append(line(self._seq, self._prev, summary, kind, data))
        self._prev = self.lines[-1].hash

    def head(self) -> dsse.Envelope:
        """Return what the coordinator signs about the log now."""
        last = self.lines[-1]
        said = Head(1, "head", last.seq, last.hash, 100 + last.seq, self.key.public.hex())
        return audit_heads.sign(said, self.key)

    def prune(self, through: int) -> None:
        """Remove lines, and say so as a coordinator does."""
        last = next(one for one in self.lines if one.seq == through)
        previous = audit_heads.digest(self.tombstones[-1]) if self.tombstones else ""
        said = Head(
            1, "prune", through, last.hash, 500, self.key.public.hex(), through, "ada", previous
        )
        self.tombstones.append(audit_heads.sign(said, self.key))
        named = audit_heads.digest(self.tombstones[-1])
        self.add("pruned", "audit.pruned", f'{{"tombstone":"{named}"}}')
        self.lines = [one for one in self.lines if one.seq > through]

    def rehash_from(self, index: int) -> None:
        """Make the chain hold again after a change, as a forger with the database would."""
        for at in range(index, len(self.lines)):
            prev = self.lines[at - 1].hash if at else self.lines[at].prev_hash
            made = msgspec.structs.replace(self.lines[at], prev_hash=prev)
            self.lines[at] = rehashed(made)
        self._prev = self.lines[-1].hash

    def host_notes(self, seed: int, *seen: tuple[int, str]) -> str:
        """Add the journal of a host that keeps these heads, and return the host's id."""
        key = SigningKey(bytes([seed]) * 32)
        prev = journal.GENESIS
        bodies = [Audit("other", "words"), *starmap(note_head, seen)]
        for number, body in enumerate(bodies):
            data = encode_body(body)
            entry = journal.seal(number + 1, prev, 2.5, "audit", data, key)
            self.journals.append(exported(entry, key))
            prev = journal.hash_of(entry)
        return node_id(key.public)

    def serve(self, coordinator: FakeCoordinator) -> None:
        """Answer a client from what the log holds at that moment."""
        coordinator.on("GET", "/audit/head", self._head)
        coordinator.on("GET", "/audit/export", self._export)
        coordinator.on("GET", "/audit/journals", self._journals)

    def _head(self, request: Request) -> Reply:
        known = None
        if "known" in request.query:
            wanted = int(request.query["known"])
            found = [one.hash for one in self.lines if one.seq == wanted]
            known = KnownLine(wanted, found[0] if found else None)
        return Reply(AuditHead(self.head(), tuple(self.tombstones), known))

    def _export(self, request: Request) -> Reply:
        after, limit = int(request.query["after"]), int(request.query["limit"])
        # In stored order, as a database that was reordered would give them.
        found = [one for one in self.lines if one.seq > after][:limit]
        return Reply(raw=msgspec.json.Encoder().encode_lines(found))

    def _journals(self, request: Request) -> Reply:
        if request.query.get("after", "0") != "0":
            return Reply(raw=b"")
        return Reply(raw=msgspec.json.Encoder().encode_lines(self.journals))


def exported(entry: journal.Entry, key: SigningKey) -> JournalLine:
    """Return a journal entry as it is exported."""
    return JournalLine(
        node_id=node_id(key.public),
        public_key=key.public.hex(),
        seq=entry.seq,
        prev=entry.prev.hex(),
        at=entry.at,
        kind=entry.kind,
        body_digest=hashlib.sha256(entry.body).hexdigest(),
        sig=base64.b64encode(entry.sig).decode(),
        body=base64.b64encode(entry.body).decode() if entry.kind == "audit" else None,
    )
