"""The journal is durable, chained, bounded, and pruned by an acknowledgement alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.database import Database
from agent.journal import NOTE_MARGIN, Journal
from protocol import journal as chain
from protocol.errors import LocalProtocolError
from protocol.keys import SigningKey
from protocol.limits import MAX_JOURNAL_BATCH, MAX_JOURNAL_ENTRIES
from protocol.messages import ArtifactChunk, Audit

KEY = SigningKey.generate()


def open_journal(path: Path, limit: int = 10_000_000) -> tuple[Database, Journal]:
    database = Database(path, reserve=0)
    return database, Journal(database, KEY, lambda: 1.5, limit)


def chunk(size: int) -> ArtifactChunk:
    return ArtifactChunk("ab" * 32, "plan", 0, size, b"x" * size)


def test_entries_are_a_signed_chain_across_reopening(tmp_path: Path) -> None:
    """Sequence and hash go on where they stood, whatever was pruned in between."""
    database, journal = open_journal(tmp_path)
    journal.note(Audit("a", "one"))
    journal.note(Audit("a", "two"))
    kept = journal.after(0)
    journal.acknowledge(2)
    assert journal.after(0) == ()
    database.close()
    database, journal = open_journal(tmp_path)
    journal.note(Audit("a", "three"))
    (entry,) = journal.after(0)
    assert (entry.seq, journal.head) == (3, 3)
    assert entry.prev == chain.hash_of(kept[1])
    assert kept[1].prev == chain.hash_of(kept[0])
    assert kept[0].prev == chain.GENESIS
    assert all(chain.holds(each, KEY.public) for each in (*kept, entry))
    database.close()


def test_an_acknowledgement_of_the_future_prunes_nothing(tmp_path: Path) -> None:
    """A coordinator that says it stored what was never sent is not believed."""
    database, journal = open_journal(tmp_path)
    journal.note(Audit("a", "one"))
    journal.acknowledge(2)
    assert [entry.seq for entry in journal.after(0)] == [1]
    database.close()


def test_batches_fit_a_message(tmp_path: Path) -> None:
    """No batch is over the limits of a message, and no entry is left out."""
    database, journal = open_journal(tmp_path)

    def job(tx: object) -> None:
        for _ in range(MAX_JOURNAL_ENTRIES + 1):
            journal.append(tx, Audit("a", "one"))  # type: ignore[arg-type]  # the lambda's tx
        for _ in range(4):
            journal.append(tx, chunk(190_000))  # type: ignore[arg-type]  # the lambda's tx

    database.write(job)
    seen = 0
    while batch := journal.after(seen):
        assert len(batch) <= MAX_JOURNAL_ENTRIES
        assert sum(len(entry.body) for entry in batch) <= MAX_JOURNAL_BATCH
        assert batch[0].seq == seen + 1
        seen = batch[-1].seq
    assert seen == journal.head
    database.close()


def test_a_full_journal_says_so_and_drops_notes_visibly(tmp_path: Path) -> None:
    """Above the limit there is no room for work, above the margin none for notes; acks heal it."""
    database, journal = open_journal(tmp_path, limit=100_000)
    assert journal.has_room
    database.write(lambda tx: journal.append(tx, chunk(190_000)))
    assert not journal.has_room
    assert journal.note(Audit("a", "there is a margin"))
    for _ in range(NOTE_MARGIN // 190_000 + 1):
        database.write(lambda tx: journal.append(tx, chunk(190_000)))
    assert not journal.note(Audit("a", "no more"))
    assert journal.dropped == 1
    journal.acknowledge(journal.head)
    assert journal.has_room
    assert journal.note(Audit("a", "again"))
    database.close()


def test_an_entry_that_fits_no_message_is_our_own_mistake(tmp_path: Path) -> None:
    """It would hold up everything after it for ever, so it is not written."""
    database, journal = open_journal(tmp_path)
    with pytest.raises(LocalProtocolError):
        journal.note(Audit("a", "x" * (MAX_JOURNAL_BATCH + 1)))
    assert journal.head == 0
    database.close()
