"""Whose signatures count, by role, grant and rule. The attacks are in tests/hostile."""

from __future__ import annotations

import base64

import msgspec

from protocol import authority, dsse
from protocol.authority import Work
from protocol.reasons import Reason, Refused
from protocol.roster import ApprovalRule, Grant, Roster, RosterOperator
from tests.fakes.people import first_roster, key, keyid, person, sign

SCOPE = "default/default/default"
WORK = Work("state.apply", SCOPE)
ROSTER = first_roster(
    person(1), person(2, "operator"), person(4, "viewer"), person(5, "automation")
)


def granted(number: int, *grants: Grant) -> RosterOperator:
    return msgspec.structs.replace(person(number, "operator"), grants=grants)


def reason(found: object) -> Reason | None:
    return found.reason if isinstance(found, Refused) else None


def test_holders_are_all_whose_signatures_hold() -> None:
    """Whatever they may; the coordinator is told apart from a stranger."""
    envelope = sign(dsse.DECISION, b"{}", 1, 4, 77)
    assert authority.holders(envelope, ROSTER) == (keyid(1), keyid(4))
    assert reason(authority.holders(sign(dsse.DECISION, b"{}", 77), ROSTER)) is (
        Reason.SIGNER_UNKNOWN
    )
    assert reason(authority.holders(sign(dsse.DECISION, b"{}"), ROSTER)) is Reason.UNSIGNED
    mine = sign(dsse.DECISION, b"{}", 9)
    assert authority.holders(mine, ROSTER, (keyid(9), key(9).public)) == (keyid(9),)
    forged = dsse.Envelope(
        dsse.DECISION,
        envelope.payload,
        (dsse.Signature(keyid(1), base64.b64encode(b"\0" * 64).decode()),),
    )
    assert reason(authority.holders(forged, ROSTER)) is Reason.SIGNATURE_INVALID
    flood = msgspec.structs.replace(envelope, signatures=envelope.signatures * 6)
    assert reason(authority.holders(flood, ROSTER)) is Reason.ENVELOPE_INVALID


def test_deciders_are_picked_by_role_and_then_by_grant() -> None:
    """Only the coordinator's own key is let in of the automations, and only where policy says."""
    everyone = tuple(keyid(number) for number in (1, 2, 4, 5, 77))
    assert authority.deciders(everyone, ROSTER, WORK) == (keyid(1), keyid(2))
    work = msgspec.structs.replace(WORK, automation=key(5).public)
    assert authority.deciders(everyone, ROSTER, work) == (keyid(1), keyid(2), keyid(5))
    viewer = msgspec.structs.replace(WORK, automation=key(4).public)
    assert reason(authority.deciders((keyid(4),), ROSTER, viewer)) is Reason.ROLE_FORBIDDEN
    limited = first_roster(person(1), granted(2, Grant(("command.run",))))
    assert authority.deciders((keyid(1), keyid(2)), limited, WORK) == (keyid(1),)
    assert reason(authority.deciders((keyid(2),), limited, WORK)) is Reason.GRANT_MISSING
    assert reason(authority.deciders((keyid(2), keyid(4)), limited, WORK)) is Reason.GRANT_MISSING


def count(rule: ApprovalRule, able: tuple[int, ...], *, by: str, roster: Roster = ROSTER) -> object:
    ids = tuple(map(keyid, able))
    return authority.counted(ids, ids, roster, rule, by)


def test_the_requester_signs_and_is_not_counted() -> None:
    """By id or by username; without the signature nobody can tell who was to be left out."""
    rule = ApprovalRule(1, requester_excluded=True)
    for by in (keyid(1), "person1"):
        assert count(rule, (1, 2), by=by) == (keyid(2),)
        assert reason(count(rule, (2,), by=by)) is Reason.REQUESTER_UNPROVEN
        assert reason(count(rule, (1,), by=by)) is Reason.QUORUM_MISSING
    assert reason(count(rule, (1, 2), by="mallory")) is Reason.REQUESTER_UNPROVEN
    assert reason(count(rule, (1, 2), by="")) is Reason.REQUESTER_UNPROVEN
    # The rule is one for people: the automation that is let in elsewhere completes nothing here.
    assert reason(count(rule, (1, 5), by="person1")) is Reason.QUORUM_MISSING
    assert count(rule, (1, 5, 2), by="person1") == (keyid(2),)
    # Whoever holds no role that decides may ask, and his signature proves it.
    held = (keyid(4), keyid(2))
    assert authority.counted((keyid(2),), held, ROSTER, rule, keyid(4)) == (keyid(2),)


def test_a_quorum_of_two_is_one_of_people() -> None:
    """An automation decides alone where policy lets it, and completes no quorum."""
    assert count(ApprovalRule(1), (5,), by="x") == (keyid(5),)
    assert count(ApprovalRule(2), (1, 2), by="x") == (keyid(1), keyid(2))
    assert reason(count(ApprovalRule(2), (1, 5), by="x")) is Reason.QUORUM_MISSING
    assert reason(count(ApprovalRule(2), (1,), by="x")) is Reason.QUORUM_MISSING


def test_an_id_is_looked_up_before_a_name() -> None:
    """Nobody can take another's id as a username and be meant by it."""
    sly = msgspec.structs.replace(person(2, "operator"), username=keyid(1))
    roster = first_roster(person(1), sly)
    assert authority.find_id(roster, keyid(1)) == keyid(1)
    assert authority.find_id(roster, "person1") == keyid(1)
    assert authority.find_id(roster, "person2") is None


def test_a_refusal_says_what_is_missing() -> None:
    """Numbers, names and work stand in it, so that a person can act on it."""
    found = count(ApprovalRule(2, requester_excluded=True), (1, 2), by="person1")
    assert found == Refused(Reason.QUORUM_MISSING, "1 of 2 signatures besides the requester's")
    found = count(ApprovalRule(3), (1, 2), by="person1")
    assert found == Refused(Reason.QUORUM_MISSING, "2 of 3 signatures")
