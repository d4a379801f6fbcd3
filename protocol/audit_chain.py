"""The event log as evidence: its lines as exported, and what is wrong with a chain.

Pure: whoever has the lines and a signed head can check them, without any coordinator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from protocol.audit_heads import Head
from protocol.errors import MALFORMED

GENESIS = b"\x00" * 32
# A chain that is broken everywhere needs no million lines to say so.
MAX_FINDINGS = 100

FindingCode = Literal[
    "unreadable",
    "edited",
    "missing",
    "reordered",
    "relinked",
    "rewritten",
    "truncated",
    "beginning_lost",
    "tombstone_unnamed",
    "journal_broken",
    "journal_contradicts",
]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, at a line of the log (0 where it is no line's)."""

    code: FindingCode
    seq: int
    message: str


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the log as it is stored; each `hash` covers the line and the hash before it."""

    seq: int
    event_id: str
    at: float
    scope: str
    type: str
    severity: str
    # Exactly the stored text: what is hashed is never a second encoding of it.
    actor: msgspec.Raw
    target: msgspec.Raw
    target_id: str
    summary: str
    data: msgspec.Raw
    prev_hash: str
    hash: str

    def own_hash(self) -> str:
        """Return the hash that this content has after the hash that it names."""
        columns: list[str | int | float] = [
            self.seq, self.event_id, self.at, self.scope, self.type, self.severity,
            _text(self.actor), _text(self.target), self.target_id, self.summary, _text(self.data),
        ]  # fmt: skip
        return line_hash(bytes.fromhex(self.prev_hash), columns).hex()


def line_hash(prev: bytes, line: Sequence[str | int | float | bytes]) -> bytes:
    """Return the hash of a line's columns, in the order of the table, after the hash before it."""
    data = msgspec.msgpack.encode(list(line))
    return hashlib.sha256(b"standfast/event/v1\x00" + prev + data).digest()


class Checker:
    """Takes the lines of a log in their order and finds what was done to them.

    `start` is what the log says was pruned of its beginning (verified), None for all of it there;
    `wanted` are the lines whose hashes signed heads speak of.
    """

    def __init__(self, start: Head | None, wanted: Collection[int] = ()) -> None:
        self._first = start.seq + 1 if start is not None else 1
        self._seq = self._first - 1
        self._hash = self._start_hash = start.hash if start is not None else GENESIS.hex()
        self._wanted = frozenset(wanted)
        self.hashes: dict[int, str] = {}
        self.findings: list[Finding] = []
        self.lines = 0
        # Digests of prune statements that the lines themselves name.
        self.named: set[str] = set()

    @property
    def last(self) -> int:
        """The sequence of the last line, or of the last that was pruned."""
        return self._seq

    def feed(self, raw: bytes) -> None:
        """Look at the next line."""
        self.lines += 1
        try:
            line = msgspec.json.decode(raw, type=Line)
            own = line.own_hash()
        except (ValueError, *MALFORMED) as error:
            self._find("unreadable", self._seq + 1, f"a line cannot be read: {error}")
            return
        if own != line.hash:
            self._find("edited", line.seq, "its content is not what its hash was made of")
        self._follow(line)
        if line.type == "audit.pruned":
            self.named.add(_tombstone(line))
        if line.seq in self._wanted:
            self.hashes[line.seq] = line.hash

    def _follow(self, line: Line) -> None:
        if line.seq <= self._seq:
            self._find("reordered", line.seq, f"it stands after line {self._seq}")
            return
        if line.seq > self._seq + 1:
            code: FindingCode = "beginning_lost" if self.lines == 1 else "missing"
            where = f"lines {self._seq + 1} to {line.seq - 1} are missing"
            self._find(code, self._seq + 1, where)
        elif line.prev_hash != self._hash:
            text = f"it does not follow line {self._seq}: one of the two was replaced"
            self._find("relinked", line.seq, text)
        self._seq, self._hash = line.seq, line.hash

    def compare(self, head: Head, whose: str) -> bool:
        """Hold a signed head against the lines; False where its line was pruned, so nobody can.

        `whose` says who kept it.
        """
        if head.seq < self._first - 1:
            return False
        if head.seq > self._seq:
            text = f"{whose} holds a signature for line {head.seq}, the log ends at {self._seq}"
            self._find("truncated", head.seq, text)
        elif self._known(head.seq) != head.hash:
            text = f"it is not the line that {whose} holds a signature for"
            self._find("rewritten", head.seq, text)
        return True

    def _known(self, seq: int) -> str | None:
        if seq == self._seq:
            return self._hash
        if seq == self._first - 1 and seq not in self.hashes:
            return self._start_hash
        return self.hashes.get(seq)

    def add(self, finding: Finding) -> None:
        """Take a finding of somebody else's into the list."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)

    def _find(self, code: FindingCode, seq: int, message: str) -> None:
        self.add(Finding(code, seq, f"line {seq}: {message}"))


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


def _tombstone(line: Line) -> str:
    try:
        data = msgspec.json.decode(line.data, type=dict[str, str | int | bool | None])
    except MALFORMED:
        return ""
    return str(data.get("tombstone", ""))
