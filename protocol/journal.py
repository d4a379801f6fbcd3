"""The journal: what a host did, in order, as a hash chain signed by the host.

Delivered at least once; the coordinator stores each sequence number once. An entry stays on the
host until the coordinator has acknowledged it.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from protocol import keys
from protocol.canonical import MAX_INTEGER

EntryKind = Literal[
    "accepted",
    "refused",
    "started",
    "progress",
    "output",
    "artifact",
    "finished",
    "drift",
    "audit",
]
# The year 10000: a time beyond it is no clock's, and its microseconds overflow.
MAX_TIME = 253_402_300_800.0
GENESIS = b"\x00" * 32


class Entry(msgspec.Struct, frozen=True):
    """One signed line; `body` is msgpack of the struct that belongs to the kind (`messages`).

    `seq` begins at 1; `prev` is the hash of the entry before (`GENESIS` for the first); `at` is
    the host's clock in seconds.
    """

    seq: int
    prev: bytes
    at: float
    kind: EntryKind
    body: bytes
    sig: bytes


def entry_hash(seq: int, prev: bytes, at: float, kind: str, body: bytes) -> bytes:
    """Return the hash that the next entry's `prev` carries and that the signature covers."""
    return hash_from_digest(seq, prev, at, kind, body_digest(body))


def body_digest(body: bytes) -> bytes:
    """Return the SHA-256 of a body, which is what an entry's hash covers of it."""
    return hashlib.sha256(body).digest()


def hash_from_digest(seq: int, prev: bytes, at: float, kind: str, digest: bytes) -> bytes:
    """Return the hash of an entry of whose body only the SHA-256 is at hand."""
    # What is no time has no microseconds; `holds` refuses such an entry.
    micros = round(at * 1_000_000) if 0.0 <= at < MAX_TIME else -1
    head = b"standfast/journal/v1\x00%d\x00%b\x00%d\x00%b\x00" % (
        seq,
        prev,
        micros,
        kind.encode(),
    )
    return hashlib.sha256(head + digest).digest()


def seal(
    seq: int, prev: bytes, at: float, kind: EntryKind, body: bytes, key: keys.SigningKey
) -> Entry:
    """Return a signed entry."""
    return Entry(seq, prev, at, kind, body, key.sign(entry_hash(seq, prev, at, kind, body)))


def hash_of(entry: Entry) -> bytes:
    """Return an entry's hash."""
    return entry_hash(entry.seq, entry.prev, entry.at, entry.kind, entry.body)


def holds(entry: Entry, public_key: bytes) -> bool:
    """Say whether the entry is well-formed and signed by the host's key."""
    if not (1 <= entry.seq <= MAX_INTEGER and 0.0 <= entry.at < MAX_TIME):
        return False
    if len(entry.prev) != len(GENESIS):
        return False
    return keys.verify(public_key, entry.sig, hash_of(entry))
