"""The roster by example; the attacks on it stand in `tests/hostile/test_roster.py`."""

from __future__ import annotations

import json
from pathlib import Path

from protocol import dsse
from protocol import roster as rosters
from protocol.roster import TrustedRoster, verify_first
from tests.fakes.people import first_roster, key, keyid, person, sign, sign_roster

SAMPLES = json.loads((Path(__file__).parent / "samples" / "envelopes-v1.json").read_text("utf-8"))
ROSTER = first_roster(person(1), person(2, "operator"), person(4, "viewer"), epochs={"a/b/c": 2})


def test_a_roster_is_read_back_from_what_was_signed() -> None:
    """Nothing is lost in the canonical form."""
    assert rosters.decode(sign_roster(ROSTER, 1)) == ROSTER


def test_keys_are_found_by_role_and_people_by_id() -> None:
    """Only the roles asked for; nobody for an unknown id."""
    assert ROSTER.keys(frozenset({"admin"})) == {keyid(1): key(1).public}
    assert set(ROSTER.keys(rosters.DECIDING_ROLES)) == {keyid(1), keyid(2)}
    assert ROSTER.find(keyid(4)) == person(4, "viewer")
    assert ROSTER.find(keyid(9)) is None


def test_a_scope_without_an_epoch_is_at_zero() -> None:
    """No line has been drawn there."""
    assert (ROSTER.epoch("a/b/c"), ROSTER.epoch("other")) == (2, 0)


def test_a_stored_roster_still_holds() -> None:
    """A roster signed by an older client is still one."""
    envelope = dsse.decode(json.dumps(SAMPLES["roster"]).encode())
    found = verify_first(envelope, None)
    assert isinstance(found, TrustedRoster)
    assert found.roster == ROSTER
    assert found.digest == SAMPLES["roster_digest"]


def test_the_same_roster_again_is_what_is_held() -> None:
    """A repeated message is no fault."""
    first = verify_first(sign_roster(ROSTER, 1), None)
    assert isinstance(first, TrustedRoster)
    again = sign(dsse.ROSTER, rosters.encode(ROSTER), 1)
    assert rosters.verify_next(first, again) == first
