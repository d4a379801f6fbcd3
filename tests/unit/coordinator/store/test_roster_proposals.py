from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from coordinator.store import roster_proposals
from coordinator.store.roster_proposals import StoredProposal
from protocol import dsse
from tests.fakes import people
from tests.fakes.stores import memory_store

ENVELOPE = people.sign(dsse.ROSTER, b"roster", 1)


def proposal(digest: str, version: int, created_at: float) -> StoredProposal:
    return StoredProposal(digest, version, ENVELOPE, "open", "ada", created_at, created_at + 60.0)


def test_what_was_proposed_is_found_and_changed() -> None:
    """Newest first; a new envelope and status are kept; an older version is voided with others."""
    store = memory_store()
    one, two, three = proposal("a", 2, 1.0), proposal("b", 2, 2.0), proposal("c", 3, 3.0)
    for made in (one, two, three):
        store.write_now(lambda tx, made=made: roster_proposals.add(tx, made))  # type: ignore[misc]  # bound now
    assert store.read_now(roster_proposals.listing) == (three, two, one)
    both = people.sign(dsse.ROSTER, b"roster", 1, 2)
    store.write_now(lambda tx: roster_proposals.put(tx, "a", envelope=both, status="accepted"))
    found = store.read_now(lambda tx: roster_proposals.get(tx, "a"))
    assert found is not None
    assert (found.envelope, found.status) == (both, "accepted")
    assert store.write_now(lambda tx: roster_proposals.void_older(tx, 2, "a")) == 1
    assert store.read_now(lambda tx: roster_proposals.listing(tx, "open")) == (three,)
    assert store.read_now(lambda tx: roster_proposals.get(tx, "d")) is None


def test_a_digest_is_there_once() -> None:
    store = memory_store()
    store.write_now(lambda tx: roster_proposals.add(tx, proposal("a", 2, 1.0)))
    with pytest.raises(IntegrityError):
        store.write_now(lambda tx: roster_proposals.add(tx, proposal("a", 2, 1.0)))
