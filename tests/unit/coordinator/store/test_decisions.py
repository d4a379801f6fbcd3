from __future__ import annotations

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from coordinator.store import decisions, revocations
from coordinator.store.decisions import StoredDecision
from coordinator.store.revocations import StoredRevocation
from protocol import dsse
from tests.fakes import people
from tests.fakes.stores import FrozenClock, memory_store


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


def test_the_newest_yes_that_may_still_be_used_collects_signatures() -> None:
    """Not a no, not one that has ended, not one that was taken back; more signatures replace."""
    clock = FrozenClock(100.0)
    store = memory_store(clock)
    envelope = people.sign(dsse.DECISION, b"payload", 1)
    yes = StoredDecision("a", "r", "approve", "h", 200, envelope, "op", ("k",), 1.0)
    no = msgspec.structs.replace(yes, decision_id="b", verdict="deny", at=2.0)
    for made in (yes, no):
        store.write_now(lambda tx, made=made: decisions.add(tx, made))  # type: ignore[misc]  # bound now
    assert store.read_now(lambda tx: decisions.collecting(tx, "r")) == yes
    assert store.read_now(lambda tx: decisions.collecting(tx, "other")) is None
    both = people.sign(dsse.DECISION, b"payload", 1, 2)
    store.write_now(lambda tx: decisions.put_signatures(tx, "a", both, ("k", "l")))
    found = store.read_now(lambda tx: decisions.collecting(tx, "r"))
    assert found == msgspec.structs.replace(yes, envelope=both, signers=("k", "l"))
    taken_back = StoredRevocation("a", envelope, "op", 3.0, 200.0)
    store.write_now(lambda tx: revocations.add(tx, taken_back))
    assert store.read_now(lambda tx: decisions.collecting(tx, "r")) is None
    later = msgspec.structs.replace(yes, decision_id="c", at=4.0)
    store.write_now(lambda tx: decisions.add(tx, later))
    assert store.read_now(lambda tx: decisions.collecting(tx, "r")) == later
    clock.now = 200.0
    assert store.read_now(lambda tx: decisions.collecting(tx, "r")) is None
