"""The journal: what a host did, in order, as a hash chain signed by the host.

Delivered at least once; the coordinator stores each sequence number once. An entry stays on the
host until the coordinator has acknowledged it.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from protocol import keys

EntryKind = Literal[
    "accepted", "refused", "started", "progress", "artifact", "finished", "drift", "audit"
]
GENESIS = b"\x00" * 32


class Entry(msgspec.Struct, frozen=True):
    """One signed line; `body` is msgpack of the struct that belongs to the kind (`messages`).

    `prev` is the hash of the entry before; `at` is the host's clock in seconds.
    """

    seq: int
    prev: bytes
    at: float
    kind: EntryKind
    body: bytes
    sig: bytes


def entry_hash(seq: int, prev: bytes, at: float, kind: str, body: bytes) -> bytes:
    """Return the hash that the next entry's `prev` carries and that the signature covers."""
    head = b"standfast/journal/v1\x00%d\x00%b\x00%d\x00%b\x00" % (
        seq,
        prev,
        round(at * 1_000_000),
        kind.encode(),
    )
    return hashlib.sha256(head + hashlib.sha256(body).digest()).digest()


def seal(
    seq: int, prev: bytes, at: float, kind: EntryKind, body: bytes, key: keys.SigningKey
) -> Entry:
    """Return a signed entry."""
    return Entry(seq, prev, at, kind, body, key.sign(entry_hash(seq, prev, at, kind, body)))


def hash_of(entry: Entry) -> bytes:
    """Return an entry's hash."""
    return entry_hash(entry.seq, entry.prev, entry.at, entry.kind, entry.body)


def holds(entry: Entry, public_key: bytes) -> bool:
    """Say whether the entry is signed by the host's key."""
    return keys.verify(public_key, entry.sig, hash_of(entry))
