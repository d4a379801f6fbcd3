"""Desired state, epochs, uses and signed time only go forward. The property test tries orders."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agent import ledger
from agent.database import Database
from agent.ledger import Ledger
from protocol import ids
from protocol.decisions import Decision
from protocol.reasons import Reason, Refused
from protocol.revocations import Revocation

NOW = 1_000.0


def decision(number: int = 1, **changes: object) -> Decision:
    made = Decision(
        v=1,
        decision_id=ids.ulid(1.0, number.to_bytes(10, "big")),
        verdict="approve",
        capability="state.apply",
        action_hash="ab" * 32,
        nodes=(ids.node_id(b"n"),),
        scope="a/b/c",
        epoch=0,
        not_before=100,
        expires_at=200,
        uses=1,
        requested_by="ada",
    )
    return msgspec.structs.replace(made, **changes)


def test_older_and_other_desired_state_is_refused(tmp_path: Path) -> None:
    """The first document under a generation stands, and no older one comes back."""
    book = Ledger(Database(tmp_path, reserve=0))
    assert book.take_desired(2, b"two") == "stored"
    assert book.take_desired(2, b"two") == "held"
    other, older = book.take_desired(2, b"other"), book.take_desired(1, b"one")
    assert isinstance(other, Refused)
    assert isinstance(older, Refused)
    assert (other.reason, older.reason) == (Reason.GENERATION_CONFLICT, Reason.GENERATION_OLD)
    assert isinstance(book.take_desired(0, b""), Refused)
    assert book.desired() == ledger.Desired(2, b"two")


def test_consuming_counts_and_raises_the_time_but_no_epoch(tmp_path: Path) -> None:
    """A decision does not draw the line that only a roster may draw: it would lock others out."""
    database = Database(tmp_path, reserve=0)
    database.write(lambda tx: ledger.consume(tx, decision(epoch=3), NOW))
    database.write(lambda tx: ledger.consume(tx, decision(epoch=1), NOW))
    name = decision().decision_id
    assert database.read(lambda tx: ledger.uses(tx, name)) == 2
    assert database.read(ledger.epochs) == {}
    assert database.read(ledger.latest_signed_time) == 100
    database.close()


def test_uses_are_forgotten_only_once_signed_time_is_past_them(tmp_path: Path) -> None:
    """A use may go when no clock of this host can ever call the decision valid again."""
    database = Database(tmp_path, reserve=0)
    database.write(lambda tx: ledger.consume(tx, decision(1), NOW))
    late = decision(2, not_before=199, expires_at=400)
    database.write(lambda tx: ledger.consume(tx, late, NOW))
    assert database.read(lambda tx: ledger.uses(tx, decision(1).decision_id)) == 1
    later = decision(3, not_before=200, expires_at=400)
    database.write(lambda tx: ledger.consume(tx, later, NOW))
    assert database.read(lambda tx: ledger.uses(tx, decision(1).decision_id)) == 0
    database.close()


def test_a_signed_time_ahead_of_the_clock_counts_only_a_little(tmp_path: Path) -> None:
    """As far as clocks may differ, from the later of the clock and what was signed before."""
    database = Database(tmp_path, reserve=0)
    for signed, now, held in ((10**12, 500.0, 560), (10**12, 100.0, 620), (700, 900.0, 700)):
        database.write(lambda tx, s=signed, n=now: ledger.raise_signed_time(tx, s, n))
        assert database.read(ledger.latest_signed_time) == held
    database.close()


def test_signed_time_never_goes_back(tmp_path: Path) -> None:
    """An older signature says nothing about now."""
    database = Database(tmp_path, reserve=0)
    database.write(lambda tx: ledger.raise_signed_time(tx, 50, NOW))
    database.write(lambda tx: ledger.raise_signed_time(tx, 40, NOW))
    assert database.read(ledger.latest_signed_time) == 50
    database.close()


def test_when_a_decision_was_acted_on_last_is_remembered(tmp_path: Path) -> None:
    """A clock that was set back does not bring the last time nearer."""
    database = Database(tmp_path, reserve=0)
    name = decision().decision_id
    assert database.read(lambda tx: ledger.acted(tx, name)) is None
    for now, held in ((150.9, 150), (120.0, 150), (160.0, 160)):
        database.write(lambda tx, n=now: ledger.consume(tx, decision(uses=9), n))
        assert database.read(lambda tx: ledger.acted(tx, name)) == held
    database.close()


def test_a_revocation_is_kept_for_as_long_as_it_could_matter(tmp_path: Path) -> None:
    """The longest that was said, until signed time is past it; the number kept has an end."""
    database = Database(tmp_path, reserve=0)
    back = Revocation(1, decision().decision_id, "a/b/c", 100, "", 300)

    def revoke(found: Revocation) -> bool | Refused:
        return database.write(lambda tx: ledger.revoke(tx, found, NOW))

    assert revoke(back) is True
    assert revoke(msgspec.structs.replace(back, expires_at=200)) is False
    database.write(lambda tx: ledger.consume(tx, decision(2, not_before=299), NOW))
    assert database.read(lambda tx: ledger.is_revoked(tx, back.decision_id))
    database.write(lambda tx: ledger.consume(tx, decision(3, not_before=300), NOW))
    assert not database.read(lambda tx: ledger.is_revoked(tx, back.decision_id))
    rows = [(str(number), 10**9) for number in range(ledger.MAX_REVOKED)]
    database.write(lambda tx: tx.executemany("INSERT INTO revoked VALUES (?, ?)", rows))
    full = revoke(back)
    assert isinstance(full, Refused)
    assert full.reason is Reason.REVOCATION_INVALID
    known = msgspec.structs.replace(back, decision_id=ids.ulid(1.0, (9).to_bytes(10, "big")))
    database.write(
        lambda tx: tx.execute(
            "UPDATE revoked SET decision=? WHERE decision='7'", (known.decision_id,)
        )
    )
    assert revoke(known) is False
    database.close()
