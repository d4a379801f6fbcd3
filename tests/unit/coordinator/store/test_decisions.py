from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from coordinator.store import decisions
from coordinator.store.decisions import StoredDecision
from protocol import dsse
from tests.fakes.stores import memory_store


def test_a_decision_is_kept_whole_and_its_id_is_taken_once() -> None:
    """What comes back is what was stored."""
    store = memory_store()
    envelope = dsse.Envelope("t", "cGF5bG9hZA==", (dsse.Signature("k", "c2ln"),))
    one = StoredDecision("d", "r", "approve", "h", 5, envelope, "op", ("k",), 1.5)
    store.write_now(lambda tx: decisions.add(tx, one))
    assert store.read_now(lambda tx: decisions.get(tx, "d")) == one
    assert store.read_now(lambda tx: decisions.get(tx, "e")) is None
    with pytest.raises(IntegrityError):
        store.write_now(lambda tx: decisions.add(tx, one))
