"""The ratchet's value on this host's disk: the last one that a welcome offered and we stored."""

from __future__ import annotations

import msgspec

from agent.database import Database, get_bytes, put
from protocol.messages import Welcome
from protocol.ratchet import VALUE_SIZE, Held

KEY = "ratchet"


def held(database: Database) -> Held | None:
    """Return the value that this host holds, or None before its first welcome."""
    data = database.read(lambda tx: get_bytes(tx, KEY))
    return None if data is None else msgspec.msgpack.decode(data, type=Held)


def keep(database: Database, welcome: Welcome) -> None:
    """Store what a welcome offers, if it offers anything.

    Raises:
        StorageError: the disk is full or broken; the old value stands, and still counts.
    """
    if len(welcome.ratchet) == VALUE_SIZE:
        data = msgspec.msgpack.encode(Held(welcome.ratchet_seq, welcome.ratchet))
        database.write(lambda tx: put(tx, KEY, data))
