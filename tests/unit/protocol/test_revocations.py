"""Whoever may decide may take back, and it is remembered while the decision could be used."""

from __future__ import annotations

import msgspec
import pytest

from protocol import dsse, revocations
from protocol.limits import MAX_COMMENT
from protocol.reasons import Reason, Refused
from protocol.revocations import Revocation
from protocol.roster import Grant
from tests.fakes.people import NOW, ULID, first_roster, person, sign

TAKEN_BACK = Revocation(1, ULID, "a/b/c", NOW, "a mistake", NOW + 60)
ROSTER = first_roster(
    person(1),
    msgspec.structs.replace(person(2, "operator"), grants=(Grant(("command.run",)),)),
    person(4, "viewer"),
    person(5, "automation"),
)


def reason(envelope: dsse.Envelope) -> str:
    found = revocations.verify(envelope, ROSTER)
    return found.reason if isinstance(found, Refused) else "ok"


def signed(revocation: Revocation, *numbers: int) -> dsse.Envelope:
    return sign(dsse.REVOCATION, revocations.encode(revocation), *numbers)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1,), "ok"),
        ((2,), "ok"),
        ((4, 2), "ok"),
        ((4,), Reason.ROLE_FORBIDDEN),
        ((5,), Reason.ROLE_FORBIDDEN),
        ((77,), Reason.SIGNER_UNKNOWN),
        ((), Reason.UNSIGNED),
    ],
    ids=str,
)
def test_one_operator_is_enough_whatever_his_grants(
    numbers: tuple[int, ...], expected: str
) -> None:
    """Stopping is safe; a viewer, an automation or a stranger stops nothing."""
    assert reason(signed(TAKEN_BACK, *numbers)) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"decision_id": ULID.lower()},
        {"scope": "a"},
        {"at": -1},
        {"expires_at": -1},
        {"reason": "x" * (MAX_COMMENT + 1)},
    ],
)
def test_what_is_malformed_is_invalid_though_signed(changes: dict[str, object]) -> None:
    """It must name one decision, in one scope, at one time."""
    envelope = signed(msgspec.structs.replace(TAKEN_BACK, **changes), 1)
    assert reason(envelope) == Reason.REVOCATION_INVALID


def test_another_kind_or_byte_form_is_no_revocation() -> None:
    """A signed decision does not take itself back."""
    text = revocations.encode(TAKEN_BACK)
    assert reason(sign(dsse.DECISION, text, 1)) == Reason.REVOCATION_INVALID
    for payload in (b" " + text, text.replace(b'"v":1', b'"v":1,"v":1'), b"", b"[]"):
        assert reason(sign(dsse.REVOCATION, payload, 1)) == Reason.REVOCATION_INVALID


def test_it_is_kept_until_the_decision_is_over() -> None:
    """Its own end, or the longest that a decision can live from when the host heard of it."""
    edge = msgspec.structs.replace(TAKEN_BACK, at=0, expires_at=0, reason="x" * MAX_COMMENT)
    assert reason(signed(edge, 1)) == "ok"
    assert TAKEN_BACK.keep_until(0.0) == NOW + 60
    month = 30 * 86_400
    unknown = msgspec.structs.replace(TAKEN_BACK, expires_at=0)
    assert unknown.keep_until(NOW + 10.5) == NOW + 10 + month
    assert unknown.keep_until(0.0) == NOW + month
