from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from coordinator.store import rosters
from coordinator.store.rosters import StoredRoster
from protocol import dsse
from tests.fakes.stores import memory_store


def test_the_chain_is_kept_in_order_and_wakes_the_links() -> None:
    """The newest is current, a version is stored once, `after` gives the rest oldest first."""
    told: list[frozenset[str]] = []
    store = memory_store(on_commit=told.append)
    assert store.read_now(rosters.current) is None
    chain = [StoredRoster(n, f"d{n}", dsse.Envelope("t", f"payload{n}")) for n in (1, 2, 3)]
    for one in chain:
        store.write_now(lambda tx, r=one: rosters.append(tx, r))
    assert store.read_now(rosters.current) == chain[2]
    assert store.read_now(lambda tx: rosters.after(tx, 1)) == tuple(r.envelope for r in chain[1:])
    with pytest.raises(IntegrityError):
        store.write_now(lambda tx: rosters.append(tx, chain[0]))
    assert told == [frozenset({"roster"})] * 3
