from __future__ import annotations

import msgspec
import pytest

from protocol.reasons import Reason, Refused
from protocol.roster import RecoveryKey, TrustedRoster, verify_next
from protocol.roster_proposals import follows
from tests.fakes.people import first_roster, key, person, sign_roster, trusted

SPARE = RecoveryKey("safe", key(50).public.hex())
HELD = trusted(
    msgspec.structs.replace(
        first_roster(person(1), person(2), threshold=2), recovery=(SPARE,), recovery_threshold=1
    )
)
NEXT = msgspec.structs.replace(HELD.roster, version=2, previous=HELD.digest)


@pytest.mark.parametrize("number", [1, 2, 50])
def test_one_signature_is_enough_to_propose(number: int) -> None:
    """Where two are needed to put it in force, one makes a proposal; so does a recovery key."""
    envelope = sign_roster(NEXT, number)
    found = follows(HELD, envelope)
    assert isinstance(found, TrustedRoster)
    assert found.roster == NEXT
    in_force = isinstance(verify_next(HELD, envelope), TrustedRoster)
    assert in_force is (number == 50)


@pytest.mark.parametrize(
    ("changes", "number", "reason"),
    [
        ({}, 3, Reason.ROSTER_INVALID),
        ({"version": 3}, 1, Reason.ROSTER_FORK),
        ({"previous": "ab" * 32}, 1, Reason.ROSTER_FORK),
        ({"threshold": 3}, 1, Reason.ROSTER_INVALID),
    ],
)
def test_all_else_is_asked_of_a_proposal(
    changes: dict[str, object], number: int, reason: Reason
) -> None:
    """A stranger's, one that skips a version, one that cannot be met."""
    found = follows(HELD, sign_roster(msgspec.structs.replace(NEXT, **changes), number))
    assert isinstance(found, Refused)
    assert found.reason == reason


def test_what_is_in_force_is_no_proposal() -> None:
    found = follows(HELD, HELD.envelope)
    assert isinstance(found, Refused)
    assert found.reason == Reason.ROSTER_ROLLBACK
