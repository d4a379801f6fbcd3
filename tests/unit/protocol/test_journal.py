"""The journal's entries: a chain, signed, of which no field can change unseen."""

from __future__ import annotations

import math

import msgspec
import pytest

from protocol import journal
from tests.fakes.people import key

ENTRY = journal.seal(7, b"\x01" * 32, 1_800_000_000.25, "audit", b"body", key(1))


def test_a_sealed_entry_holds_for_its_key_only() -> None:
    """The host's own key, and no other."""
    assert journal.holds(ENTRY, key(1).public)
    assert not journal.holds(ENTRY, key(2).public)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 8},
        {"seq": 0},
        {"seq": 2**63},
        {"seq": -7},
        {"prev": b"\x02" * 32},
        {"prev": b""},
        {"prev": b"\x01" * 33},
        {"at": 1_800_000_000.3},
        {"kind": "drift"},
        {"body": b"bodY"},
        {"body": b""},
        {"sig": b""},
        {"at": math.nan},
        {"at": math.inf},
        {"at": -math.inf},
        {"at": 1e308},
    ],
    ids=str,
)
def test_no_field_changes_unseen_and_no_value_raises(change: dict[str, object]) -> None:
    """Whatever a lying host or coordinator writes into an entry, the answer is no."""
    changed = msgspec.structs.replace(ENTRY, **change)  # type: ignore[arg-type]  # fields as named
    assert not journal.holds(changed, key(1).public)
    assert len(journal.hash_of(changed)) == 32


@pytest.mark.parametrize(("seq", "at"), [(0, 1.0), (-1, 1.0), (1, math.nan), (1, -1.0), (1, 1e12)])
def test_an_entry_that_cannot_be_is_refused_though_signed(seq: int, at: float) -> None:
    """The host's own signature does not make a broken entry well-formed."""
    entry = journal.seal(seq, journal.GENESIS, at, "audit", b"", key(1))
    assert not journal.holds(entry, key(1).public)


def test_the_hash_is_fixed_and_binds_the_entry_before() -> None:
    """Version 1 of the journal hashes exactly so."""
    assert (
        journal.hash_of(ENTRY).hex()
        == "6927c41507be107019fd443bb72f84d63014eec6ceb98ece5091a357dceac5f6"
    )
    after = journal.seal(8, journal.hash_of(ENTRY), 1_800_000_001.0, "audit", b"", key(1))
    assert after.prev == journal.hash_of(ENTRY)
