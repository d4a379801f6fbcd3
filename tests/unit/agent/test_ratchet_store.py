"""The ratchet's value outlives a restart, and only a whole one replaces it."""

from __future__ import annotations

from pathlib import Path

from agent import ratchet_store
from agent.database import Database
from protocol.messages import Welcome
from protocol.ratchet import VALUE_SIZE, Held


def welcome(seq: int, value: bytes) -> Welcome:
    return Welcome("n", "approved", 0, 1, 0.0, "a/b/c", ratchet_seq=seq, ratchet=value)


def test_what_was_offered_is_held_after_a_restart(tmp_path: Path) -> None:
    """A welcome that offers nothing, as later ones of a link, changes nothing."""
    database = Database(tmp_path, reserve=0)
    assert ratchet_store.held(database) is None
    ratchet_store.keep(database, welcome(3, b"v" * VALUE_SIZE))
    ratchet_store.keep(database, welcome(0, b""))
    ratchet_store.keep(database, welcome(9, b"short"))
    database.close()
    again = Database(tmp_path, reserve=0)
    assert ratchet_store.held(again) == Held(3, b"v" * VALUE_SIZE)
    again.close()
