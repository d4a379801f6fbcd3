"""Attacks on the roster chain: old, forked, mixed and badly signed rosters are all refused."""

from __future__ import annotations

import msgspec
import pytest

from protocol import dsse, reports
from protocol import roster as rosters
from protocol.limits import MAX_OPERATORS, MAX_ROSTER_CHAIN, MAX_SIGNATURES
from protocol.reasons import Reason, Refused
from protocol.roster import (
    Roster,
    RosterOperator,
    TrustedRoster,
    decode,
    verify_chain,
    verify_first,
)
from tests.fakes.people import NOW, first_roster, key, keyid, person, sign, sign_roster, trusted

pytestmark = pytest.mark.hostile


def digest(envelope: dsse.Envelope) -> str:
    """Return the digest of a roster envelope's exact bytes."""
    return reports.content_digest(envelope.content())


def following(before: Roster, *people: RosterOperator, **changes: object) -> Roster:
    """Return the roster after one, with some fields changed."""
    fields: dict[str, object] = {
        "version": before.version + 1,
        "previous": reports.content_digest(rosters.encode(before)),
        "operators": people or before.operators,
        **changes,
    }
    return msgspec.structs.replace(before, **fields)  # type: ignore[arg-type]  # tests know


def reason(found: TrustedRoster | Refused) -> str:
    """Return why a roster was refused, or its version."""
    return str(found.reason) if isinstance(found, Refused) else f"v{found.roster.version}"


V1 = first_roster(person(1), person(2), person(3, "operator"), threshold=2)
V2 = following(V1, person(2), person(4))
V3 = following(V2, person(2), person(4), person(5))


def test_a_chain_signed_by_each_previous_quorum_is_followed_to_its_end() -> None:
    """From nothing, from the pin, and from a held version, the end is the newest."""
    chain = (sign_roster(V1, 1, 2), sign_roster(V2, 1, 2), sign_roster(V3, 2, 4))
    assert reason(verify_chain(None, None, chain)) == "v3"
    assert reason(verify_chain(None, digest(chain[0]), chain)) == "v3"
    assert reason(verify_chain(None, digest(chain[1]), chain)) == "v3"
    assert reason(verify_chain(trusted(V2), None, chain[2:])) == "v3"
    assert reason(verify_chain(trusted(V2), None, chain[1:])) == "v3"
    assert reason(verify_chain(trusted(V2), None, ())) == "v2"


def test_an_older_version_is_a_rollback_and_another_of_the_same_number_a_fork() -> None:
    """What a host trusts never becomes older, nor another."""
    assert reason(verify_chain(trusted(V3), None, (sign_roster(V2, 1, 2),))) == (
        Reason.ROSTER_ROLLBACK
    )
    other = following(V2, person(2), person(4), person(6))
    assert reason(verify_chain(trusted(V3), None, (sign_roster(other, 2, 4),))) == (
        Reason.ROSTER_FORK
    )


def test_a_version_left_out_or_taken_from_another_chain_is_a_fork() -> None:
    """Each version names the exact bytes of the one before."""
    assert reason(verify_chain(trusted(V1), None, (sign_roster(V3, 1, 2),))) == Reason.ROSTER_FORK
    other_v2 = following(V1, person(2), person(4), issued_at=NOW + 1)
    mixed = (sign_roster(other_v2, 1, 2), sign_roster(V3, 2, 4))
    assert reason(verify_chain(trusted(V1), None, mixed)) == Reason.ROSTER_FORK


@pytest.mark.parametrize("signed_by", [(), (1,), (1, 1), (1, 3), (3, 4), (1, 4), (77, 78)], ids=str)
def test_the_quorum_is_of_different_admins_of_the_version_before(
    signed_by: tuple[int, ...],
) -> None:
    """One admin, one twice, an operator, a newly named admin or a stranger: none completes it."""
    assert reason(verify_chain(trusted(V1), None, (sign_roster(V2, *signed_by),))) == (
        Reason.ROSTER_INVALID
    )


def test_a_removed_admin_signs_nothing_more() -> None:
    """Admin 1 is out since version 2."""
    assert reason(verify_chain(trusted(V2), None, (sign_roster(V3, 1, 2),))) == (
        Reason.ROSTER_INVALID
    )


def test_the_threshold_of_the_version_before_counts_not_the_new_one() -> None:
    """A roster cannot lower the bar that it has to pass."""
    lowered = following(V1, threshold=1)
    assert reason(verify_chain(trusted(V1), None, (sign_roster(lowered, 1),))) == (
        Reason.ROSTER_INVALID
    )
    assert reason(verify_chain(trusted(V1), None, (sign_roster(lowered, 1, 2),))) == "v2"


def test_a_signature_over_another_roster_does_not_count() -> None:
    """Signatures moved from one roster to another hold over neither."""
    other = following(V1, person(2), person(4), issued_at=NOW + 1)
    mixed = msgspec.structs.replace(
        sign_roster(V2, 1),
        signatures=(*sign_roster(V2, 1).signatures, *sign_roster(other, 2).signatures),
    )
    assert reason(verify_chain(trusted(V1), None, (mixed,))) == Reason.ROSTER_INVALID


def test_a_keyid_of_an_admin_over_a_strangers_signature_does_not_count() -> None:
    """The id is a hint; the key decides."""
    envelope = sign_roster(V2, 1)
    forged = dsse.add_signature(envelope, key(77), keyid(2))
    assert reason(verify_chain(trusted(V1), None, (forged,))) == Reason.ROSTER_INVALID


def test_an_epoch_never_goes_down_nor_away() -> None:
    """A line drawn under older decisions stays drawn."""
    before = first_roster(person(1), epochs={"a/b/c": 5})
    for epochs in ({"a/b/c": 4}, {}, {"other": 9}):
        lowered = following(before, epochs=epochs)
        found = verify_chain(trusted(before), None, (sign_roster(lowered, 1),))
        assert reason(found) == Reason.ROSTER_ROLLBACK
    raised = following(before, epochs={"a/b/c": 6, "new": 1})
    assert reason(verify_chain(trusted(before), None, (sign_roster(raised, 1),))) == "v2"


def test_with_a_pin_another_first_roster_is_never_taken() -> None:
    """A coordinator that shows its own chain to a new host gets nowhere."""
    mine = first_roster(person(66))
    chain = (sign_roster(mine, 66), sign_roster(following(mine), 66))
    pinned = digest(sign_roster(V1, 1, 2))
    assert reason(verify_chain(None, pinned, chain)) == Reason.ROSTER_UNKNOWN
    assert reason(verify_chain(None, pinned, ())) == Reason.ROSTER_UNKNOWN
    assert reason(verify_first(chain[0], pinned)) == Reason.ROSTER_FORK


def test_what_stands_before_the_pin_is_skipped_and_what_follows_is_verified() -> None:
    """The pin vouches for one version only, not for a wrong successor."""
    pinned = digest(sign_roster(V2, 1, 2))
    junk = sign_roster(first_roster(person(66)), 66)
    assert reason(verify_chain(None, pinned, (junk, sign_roster(V2), sign_roster(V3, 2, 4)))) == (
        "v3"
    )
    assert reason(verify_chain(None, pinned, (junk, sign_roster(V2), sign_roster(V3, 2)))) == (
        Reason.ROSTER_INVALID
    )


def test_without_a_pin_only_a_self_signed_version_1_is_taken() -> None:
    """First use trusts a beginning, not a middle, and it must carry its own quorum."""
    assert reason(verify_first(sign_roster(V2, 2, 4), None)) == Reason.ROSTER_INVALID
    assert reason(verify_first(sign_roster(V1, 1), None)) == Reason.ROSTER_INVALID
    assert reason(verify_first(sign_roster(V1, 1, 2), None)) == "v1"


def test_a_chain_longer_than_the_limit_is_refused_unread() -> None:
    """A flood of rosters costs one comparison."""
    chain = (sign_roster(V1, 1, 2),) * (MAX_ROSTER_CHAIN + 1)
    assert reason(verify_chain(trusted(V1), None, chain)) == Reason.ROSTER_INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 0},
        {"threshold": 3},
        {"threshold": -1},
        {"operators": ()},
        {"operators": (person(3, "operator"),)},
        {"operators": (person(1), person(1))},
        {"operators": (person(1), msgspec.structs.replace(person(2), username="PERSON1"))},
        {"operators": (msgspec.structs.replace(person(1), operator_id=keyid(2)),)},
        {"operators": (msgspec.structs.replace(person(1), public_key="00"),)},
        {"operators": (msgspec.structs.replace(person(1), username="a b"),)},
        {"operators": (msgspec.structs.replace(person(1), username="e\u0301va"),)},
        {"operators": (msgspec.structs.replace(person(1), role="root"),)},
        {"operators": (person(1), *(person(n, "viewer") for n in range(2, 2 + MAX_OPERATORS)))},
        {"version": 0},
        {"version": 2},
        {"previous": "00" * 32},
        {"epochs": {"a/b/c": -1}},
        {"v": 2},
    ],
)
def test_a_roster_that_contradicts_itself_is_invalid_though_signed(
    changes: dict[str, object],
) -> None:
    """Ids follow from keys, names are unique, and the threshold can be met: or it is no roster."""
    bad = msgspec.structs.replace(first_roster(person(1)), **changes)  # type: ignore[arg-type]  # tests know
    assert reason(verify_first(sign_roster(bad, 1), None)) == Reason.ROSTER_INVALID


def test_a_key_of_small_order_is_no_operators_key() -> None:
    """Under such a key anybody could sign, so a roster that names one is invalid."""
    from protocol import ids

    weak = b"\x01" + b"\0" * 31
    operator = RosterOperator(ids.operator_id(weak), "mallory", weak.hex(), "admin")
    bad = first_roster(person(1), operator)
    assert reason(verify_first(sign_roster(bad, 1), None)) == Reason.ROSTER_INVALID


def test_a_roster_in_another_byte_form_or_kind_is_invalid() -> None:
    """Spaces, repeated keys and other payload types are refused though an admin signed them."""
    text = rosters.encode(first_roster(person(1)))
    for payload in (b" " + text, text.replace(b'"v":1', b'"v":1,"v":1'), b"", b"[]"):
        assert reason(verify_first(sign(dsse.ROSTER, payload, 1), None)) == Reason.ROSTER_INVALID
    assert reason(verify_first(sign(dsse.DECISION, text, 1), None)) == Reason.ROSTER_INVALID


@pytest.mark.parametrize("sealing_key", ["zz", "ab" * 31, "AB" * 32, "ab" * 33])
def test_a_sealing_key_that_is_none_is_no_operators(sealing_key: str) -> None:
    """Clients would fail over it whenever they show the roster or seal a secret."""
    bent = msgspec.structs.replace(person(1), sealing_key=sealing_key)
    refused = decode(sign_roster(first_roster(bent), 1))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ROSTER_INVALID
    fine = msgspec.structs.replace(person(1), sealing_key="ab" * 32)
    assert isinstance(decode(sign_roster(first_roster(fine), 1)), Roster)


def test_a_threshold_that_no_envelope_can_hold_is_refused() -> None:
    """A roster that nobody could ever change again: an envelope holds so many signatures."""
    admins = tuple(person(number) for number in range(1, MAX_SIGNATURES + 2))
    most = first_roster(*admins, threshold=MAX_SIGNATURES)
    assert isinstance(decode(sign_roster(most, 1)), Roster)
    refused = decode(sign_roster(msgspec.structs.replace(most, threshold=MAX_SIGNATURES + 1), 1))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ROSTER_INVALID
