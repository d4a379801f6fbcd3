from __future__ import annotations

import msgspec
import pytest

from coordinator.domain.signatures import merged, only_valid
from protocol import dsse
from protocol.errors import DecodeError
from protocol.limits import MAX_SIGNATURES
from tests.fakes import people

KNOWN = {people.keyid(number): people.key(number).public for number in (1, 2, 3)}
ONE = people.sign(dsse.DECISION, b"payload", 1)
BOTH = people.sign(dsse.DECISION, b"payload", 1, 2)


def test_signatures_over_the_same_bytes_stand_together() -> None:
    """Whatever the order in which they come, each key is there once."""
    assert merged(ONE, BOTH.signatures, KNOWN) == BOTH
    assert merged(BOTH, ONE.signatures, KNOWN) == BOTH
    assert merged(ONE, (*BOTH.signatures[1:], *BOTH.signatures[1:]), KNOWN) == BOTH


def test_what_does_not_hold_is_left_out() -> None:
    """A stranger, and a known id over other bytes, do not fill the envelope."""
    other = people.sign(dsse.DECISION, b"other", 2)
    stranger = people.sign(dsse.DECISION, b"payload", 9)
    assert merged(ONE, (*other.signatures, *stranger.signatures), KNOWN) == ONE
    bad = msgspec.structs.replace(
        ONE, signatures=(*stranger.signatures, *other.signatures, *ONE.signatures)
    )
    assert only_valid(bad, KNOWN) == ONE


def test_a_good_signature_behind_a_forged_one_of_the_same_id_counts() -> None:
    """Who forges somebody's signature does not keep the real one out."""
    forged = people.sign(dsse.DECISION, b"other", 2).signatures
    assert merged(ONE, (*forged, *BOTH.signatures[1:]), KNOWN) == BOTH


def test_more_signatures_than_an_envelope_holds_are_refused() -> None:
    with pytest.raises(DecodeError):
        merged(ONE, BOTH.signatures * MAX_SIGNATURES, KNOWN)
