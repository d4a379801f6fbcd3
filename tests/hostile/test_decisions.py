"""Attacks on decisions: every change of a signed envelope is refused, for the right reason."""

from __future__ import annotations

import base64
import math

import msgspec
import pytest

from protocol import canonical, decisions, dsse
from protocol.decisions import Accepted, judge
from protocol.ids import node_id
from protocol.limits import MAX_DECISION_NODES
from protocol.policy import Capability, CapabilityRule, Policy
from protocol.reasons import Reason, Refused
from tests.fakes.people import (
    ACTION,
    NODE,
    NOW,
    ULID,
    context,
    decision,
    first_roster,
    key,
    keyid,
    person,
    sign,
    sign_decision,
)

pytestmark = pytest.mark.hostile
# With one more, as many as a decision names one by one.
MANY = tuple(node_id(bytes([n // 256, n % 256])) for n in range(MAX_DECISION_NODES - 1))


def reason(envelope: dsse.Envelope | None, where: decisions.Context, action: bytes = ACTION) -> str:
    """Return the reason of a refusal, or "accepted"."""
    verdict = judge(envelope, "state.apply", action, where)
    return verdict.reason if isinstance(verdict, Refused) else "accepted"


def policy(signature: str, quorum: int = 1, capability: Capability = "state.apply") -> Policy:
    """Return a policy with one rule."""
    rule = CapabilityRule(signature, quorum)  # type: ignore[arg-type]  # tests name the class
    return Policy({capability: rule})


def test_a_good_decision_is_accepted_with_its_signer() -> None:
    """The base of all attacks below: unchanged, it is accepted."""
    verdict = judge(sign_decision(decision(), 1), "state.apply", ACTION, context())
    assert verdict == Accepted(decision(), (keyid(1),))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decision_id": "01JZ0000000000000000000009"}, "accepted"),
        ({"verdict": "deny"}, Reason.VERDICT_DENIED),
        ({"capability": "command.run"}, Reason.CAPABILITY_MISMATCH),
        ({"action_hash": "0" * 64}, Reason.ACTION_MISMATCH),
        ({"nodes": (NODE[:-1] + ("0" if NODE[-1] != "0" else "1"),)}, Reason.NODE_NOT_NAMED),
        ({"scope": "default/default/other"}, Reason.SCOPE_MISMATCH),
        ({"not_before": NOW + 3_000}, Reason.NOT_YET_VALID),
        ({"not_before": NOW - 7_200, "expires_at": NOW}, Reason.EXPIRED),
        ({"expires_at": NOW + 31 * 86_400}, Reason.ENVELOPE_INVALID),
        ({"expires_at": NOW}, Reason.ENVELOPE_INVALID),
        ({"uses": 0}, Reason.ENVELOPE_INVALID),
        ({"epoch": -1}, Reason.ENVELOPE_INVALID),
        ({"nodes": ()}, Reason.ENVELOPE_INVALID),
        ({"nodes": (NODE, NODE)}, Reason.ENVELOPE_INVALID),
        ({"nodes": (NODE.upper(),)}, Reason.ENVELOPE_INVALID),
        ({"nodes": ("*",)}, Reason.ENVELOPE_INVALID),
        ({"decision_id": ULID.lower()}, Reason.ENVELOPE_INVALID),
        ({"action_hash": "AB" * 32}, Reason.ENVELOPE_INVALID),
        ({"comment": "x" * 1_025}, Reason.ENVELOPE_INVALID),
        ({"v": 2}, Reason.ENVELOPE_INVALID),
        ({"verdict": "maybe"}, Reason.ENVELOPE_INVALID),
        ({"uses": True}, Reason.ENVELOPE_INVALID),
        ({"roster_version": -1}, Reason.ENVELOPE_INVALID),
        ({"roster_version": 1}, "accepted"),
        ({"roster_version": 2}, Reason.ROSTER_BEHIND),
        ({"comment": "x" * 1_024}, "accepted"),
        ({"expires_at": NOW + 30 * 86_400}, "accepted"),
        ({"not_before": NOW + 1, "expires_at": NOW + 2, "nodes_count": 0}, "accepted"),
        ({"nodes": (), "nodes_root": "AB" * 32, "nodes_count": 1}, Reason.ENVELOPE_INVALID),
        ({"nodes": (), "nodes_root": "ab" * 32}, Reason.ENVELOPE_INVALID),
        ({"nodes": (), "nodes_root": "ab" * 32, "nodes_count": 1}, Reason.NODE_NOT_NAMED),
        ({"nodes": (), "nodes_root": "ab" * 32, "nodes_count": 2**20}, Reason.NODE_NOT_NAMED),
        ({"nodes": (), "nodes_root": "ab" * 32, "nodes_count": 2**20 + 1}, "envelope_invalid"),
        ({"nodes": (NODE, *MANY)}, "accepted"),
        ({"nodes": (NODE, *MANY, node_id(b"more"))}, Reason.ENVELOPE_INVALID),
        ({"epoch": "0"}, Reason.ENVELOPE_INVALID),
    ],
)
def test_each_field_signed_otherwise_is_judged_by_its_own_reason(
    changes: dict[str, object], expected: str
) -> None:
    """An operator who really signs other fields gets the reason that belongs to the field."""
    assert reason(sign_decision(decision(**changes), 1), context()) == expected


@pytest.mark.parametrize("field", sorted(msgspec.to_builtins(decision())))
def test_each_field_changed_after_signing_breaks_the_signature(field: str) -> None:
    """What the coordinator edits in a signed payload no longer carries the signature."""
    envelope = sign_decision(decision(), 1)
    value = msgspec.json.decode(envelope.content())
    value[field] = {
        "v": 1,
        "decision_id": "01JZ0000000000000000000009",
        "verdict": "deny",
        "capability": "command.run",
        "action_hash": "0" * 64,
        "nodes": [NODE, "00000000-0000-8000-8000-000000000000"],
        "scope": "a/b/c",
        "epoch": 7,
        "not_before": NOW - 1,
        "expires_at": NOW + 9_999,
        "uses": 99,
        "requested_by": "mallory",
        "comment": "looks fine",
        "roster_version": 1,
        "nodes_root": "ab" * 32,
        "nodes_count": 1,
    }[field]
    payload = base64.b64encode(canonical.encode(value)).decode()
    forged = msgspec.structs.replace(envelope, payload=payload)
    # A decision that names its nodes in two ways is not even well-formed.
    malformed = dict.fromkeys(("nodes_root", "nodes_count"), Reason.ENVELOPE_INVALID)
    expected = {"v": "accepted", **malformed}.get(field, Reason.SIGNATURE_INVALID)
    assert reason(forged, context()) == expected


def test_every_flipped_byte_of_the_payload_is_refused() -> None:
    """No single byte of the payload may change unseen."""
    envelope = sign_decision(decision(), 1)
    payload = envelope.content()
    for index in range(len(payload)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(payload)
            changed[index] ^= flip
            forged = msgspec.structs.replace(envelope, payload=base64.b64encode(changed).decode())
            assert reason(forged, context()) in {
                Reason.ENVELOPE_INVALID,
                Reason.SIGNATURE_INVALID,
            }


def test_every_flipped_byte_of_the_signature_is_refused() -> None:
    """No single byte of the signature may change, so it is not malleable either."""
    envelope = sign_decision(decision(), 1)
    raw = base64.b64decode(envelope.signatures[0].sig)
    for index in range(len(raw)):
        changed = bytearray(raw)
        changed[index] ^= 1
        sig = dsse.Signature(keyid(1), base64.b64encode(changed).decode())
        forged = msgspec.structs.replace(envelope, signatures=(sig,))
        assert reason(forged, context()) == Reason.SIGNATURE_INVALID


def test_a_signature_plus_the_group_order_is_refused() -> None:
    """The classic malleation (S + L) gives no second valid signature."""
    order = 2**252 + 27742317777372353535851937790883648493
    envelope = sign_decision(decision(), 1)
    raw = base64.b64decode(envelope.signatures[0].sig)
    shifted = int.from_bytes(raw[32:], "little") + order
    sig = base64.b64encode(raw[:32] + shifted.to_bytes(32, "little")).decode()
    forged = msgspec.structs.replace(envelope, signatures=(dsse.Signature(keyid(1), sig),))
    assert reason(forged, context()) == Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "payload_type",
    [dsse.ROSTER, dsse.MODULE, dsse.ROTATION, "", dsse.DECISION + " ", dsse.DECISION.upper()],
)
def test_a_statement_of_another_kind_is_no_decision(payload_type: str) -> None:
    """Bytes signed as a roster, a module or anything else cannot be used as a decision."""
    assert (
        reason(sign(payload_type, decisions.encode(decision()), 1), context())
        == Reason.ENVELOPE_INVALID
    )
    relabelled = sign(payload_type, decisions.encode(decision()), 1)
    relabelled = msgspec.structs.replace(relabelled, payload_type=dsse.DECISION)
    assert reason(relabelled, context()) == Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace(":", ": "),
        lambda text: text + "\n",
        lambda text: text.replace('"epoch":0', '"epoch":0.0'),
        lambda text: text.replace('"epoch":0', '"epoch":-0'),
        lambda text: text.replace('"epoch":0', '"epoch":0,"epoch":0'),
        lambda text: text.replace('"uses":1', '"uses":1,"zzz":1'),
        lambda text: text.replace('"uses":1', '"uses":1e0'),
        lambda text: text.replace("person1", "person\\u0031"),
        lambda _text: "[" * 100_000,
        lambda _text: "null",
        lambda _text: "",
    ],
)
def test_a_second_byte_form_of_a_decision_is_refused_even_when_signed(rewrite: object) -> None:
    """What could be read in two ways is refused, though an operator signed exactly these bytes."""
    assert callable(rewrite)
    payload = str(rewrite(decisions.encode(decision()).decode())).encode()
    assert reason(sign(dsse.DECISION, payload, 1), context()) == Reason.ENVELOPE_INVALID


def test_unsigned_is_refused_in_all_its_forms() -> None:
    """No decision, no signature, and a signature of nobody are told apart."""
    assert reason(None, context()) == Reason.UNSIGNED
    assert reason(sign_decision(decision()), context()) == Reason.UNSIGNED
    assert reason(sign_decision(decision(), 77), context()) == Reason.SIGNER_UNKNOWN


def test_a_keyid_proves_nothing() -> None:
    """A stranger's or the coordinator's signature under an operator's id does not count."""
    for number in (77, 9):
        envelope = dsse.sign(dsse.DECISION, decisions.encode(decision()), key(number), keyid(1))
        assert reason(envelope, context()) == Reason.SIGNATURE_INVALID


def test_a_coordinator_that_calls_itself_by_an_operators_id_gains_nothing() -> None:
    """The roster, not the coordinator, says whose key an id means."""
    envelope = dsse.sign(dsse.DECISION, decisions.encode(decision()), key(9), keyid(1))
    assert reason(envelope, context(coordinator_id=keyid(1))) == Reason.SIGNATURE_INVALID
    good = sign_decision(decision(), 1)
    assert reason(good, context(coordinator_id=keyid(1))) == "accepted"


@pytest.mark.parametrize("number", [4, 5, 9])
def test_a_role_that_may_not_decide_is_refused(number: int) -> None:
    """Viewers, automations and the coordinator do not approve under the default policy."""
    assert reason(sign_decision(decision(), number), context()) == Reason.ROLE_FORBIDDEN


def test_under_the_coordinator_policy_only_the_coordinators_own_key_is_let_in() -> None:
    """The looser policy admits the one automation that is the coordinator, and operators still."""
    where = context(policy=policy("coordinator"))
    assert reason(sign_decision(decision(), 9), where) == "accepted"
    assert reason(sign_decision(decision(), 2), where) == "accepted"
    assert reason(sign_decision(decision(), 5), where) == Reason.ROLE_FORBIDDEN
    assert reason(sign_decision(decision(), 4), where) == Reason.ROLE_FORBIDDEN


def test_a_coordinator_outside_the_roster_never_decides() -> None:
    """The policy alone is not enough: the admins must have listed the coordinator's key."""
    where = context(policy=policy("coordinator"), roster=first_roster(person(1)))
    assert reason(sign_decision(decision(), 9), where) == Reason.ROLE_FORBIDDEN


def test_the_coordinators_key_with_the_role_viewer_does_not_decide() -> None:
    """Listing the coordinator's key in another role does not make it an automation."""
    roster = first_roster(person(1), person(9, "viewer"))
    where = context(policy=policy("coordinator"), roster=roster)
    assert reason(sign_decision(decision(), 9), where) == Reason.ROLE_FORBIDDEN


def test_a_quorum_counts_people_not_signatures() -> None:
    """The same signer twice, or a viewer beside an operator, is one; two operators are two."""
    where = context(policy=policy("operator", 2))
    assert reason(sign_decision(decision(), 1), where) == Reason.QUORUM_MISSING
    assert reason(sign_decision(decision(), 1, 1, 1), where) == Reason.QUORUM_MISSING
    assert reason(sign_decision(decision(), 1, 4), where) == Reason.QUORUM_MISSING
    assert reason(sign_decision(decision(), 1, 9), where) == Reason.QUORUM_MISSING
    assert reason(sign_decision(decision(), 1, 2), where) == "accepted"


def test_signatures_of_two_different_payloads_do_not_add_up() -> None:
    """A second signature taken from another decision does not complete the quorum."""
    mine = sign_decision(decision(), 1)
    other = sign_decision(decision(action_hash="0" * 64), 2)
    mixed = msgspec.structs.replace(mine, signatures=(*mine.signatures, *other.signatures))
    assert reason(mixed, context(policy=policy("operator", 2))) == Reason.QUORUM_MISSING


def test_a_good_signature_among_bad_ones_still_counts() -> None:
    """Noise beside a valid signature cannot be used to block it, up to the limit."""
    good = sign_decision(decision(), 1)
    noise = (dsse.Signature(keyid(2), base64.b64encode(b"\0" * 64).decode()),)
    noisy = msgspec.structs.replace(good, signatures=noise + good.signatures)
    assert reason(noisy, context()) == "accepted"
    most = msgspec.structs.replace(good, signatures=noise * 15 + good.signatures)
    assert reason(most, context()) == "accepted"
    flooded = msgspec.structs.replace(good, signatures=noise * 16 + good.signatures)
    assert reason(flooded, context()) == Reason.ENVELOPE_INVALID


def test_replay_is_refused_once_the_uses_are_up() -> None:
    """A decision acts as often as it says on one host, and no more."""
    envelope = sign_decision(decision(uses=2), 1)
    assert reason(envelope, context(used={ULID: 1})) == "accepted"
    assert reason(envelope, context(used={ULID: 2})) == Reason.REPLAYED
    assert reason(envelope, context(used={ULID: 3})) == Reason.REPLAYED


def test_an_old_epoch_is_refused_by_roster_and_by_memory() -> None:
    """Older decisions stay dead even if an older roster were shown again."""
    envelope = sign_decision(decision(epoch=3), 1)
    scope = decision().scope
    assert reason(envelope, context(epochs={scope: 3})) == "accepted"
    assert reason(envelope, context(epochs={scope: 4})) == Reason.EPOCH_OLD
    roster = first_roster(person(1), epochs={scope: 4})
    assert reason(envelope, context(roster=roster)) == Reason.EPOCH_OLD
    assert reason(envelope, context(roster=roster, epochs={scope: 1})) == Reason.EPOCH_OLD


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW - 61, Reason.NOT_YET_VALID),
        (NOW - 60, "accepted"),
        (NOW + 3_599.9, "accepted"),
        (NOW + 3_600, Reason.EXPIRED),
        (math.nan, Reason.NOT_YET_VALID),
        (math.inf, Reason.EXPIRED),
        (-math.inf, Reason.NOT_YET_VALID),
    ],
)
def test_the_clock_has_sharp_edges(now: float, expected: str) -> None:
    """Valid from a minute before the start until the very second of the end; no clock refuses."""
    assert reason(sign_decision(decision(), 1), context(now=now)) == expected


def test_policy_deny_stands_above_every_signature() -> None:
    """A host that denies a capability does it for nobody."""
    where = context(policy=policy("deny"))
    assert reason(sign_decision(decision(), 1, 2, 3), where) == Reason.POLICY_DENIED


def test_a_removed_operator_is_a_stranger() -> None:
    """Out of the roster, out of the decision."""
    where = context(roster=first_roster(person(1)))
    assert reason(sign_decision(decision(), 2), where) == Reason.SIGNER_UNKNOWN


def test_a_weak_key_in_the_roster_does_not_let_everybody_sign() -> None:
    """A key of small order, for which anybody can make signatures, verifies nothing."""
    weak = b"\x01" + b"\0" * 31
    operator = msgspec.structs.replace(person(2, "operator"), public_key=weak.hex())
    roster = first_roster(person(1), operator)
    envelope = sign_decision(decision())
    forged = base64.b64encode(weak + b"\0" * 32).decode()
    envelope = msgspec.structs.replace(
        envelope, signatures=(dsse.Signature(operator.operator_id, forged),)
    )
    assert reason(envelope, context(roster=roster)) == Reason.SIGNATURE_INVALID


# Each of these is wrong in one way; together they show that the order of checks is fixed.
_ORDER: list[tuple[str, dict[str, object], dict[str, object]]] = [
    (Reason.CAPABILITY_MISMATCH, {"capability": "command.run"}, {}),
    (Reason.SCOPE_MISMATCH, {"scope": "x/y/z"}, {}),
    (Reason.NODE_NOT_NAMED, {"nodes": ("00000000-0000-8000-8000-000000000000",)}, {}),
    (Reason.ACTION_MISMATCH, {"action_hash": "0" * 64}, {}),
    (Reason.EPOCH_OLD, {}, {"epochs": {"default/default/default": 1, "x/y/z": 1}}),
    (Reason.REPLAYED, {}, {"used": {ULID: 1}}),
    (Reason.EXPIRED, {}, {"now": float(NOW + 9_999)}),
    (Reason.VERDICT_DENIED, {"verdict": "deny"}, {}),
    (Reason.POLICY_DENIED, {}, {"policy": Policy({"state.apply": CapabilityRule("deny")})}),
]


@pytest.mark.parametrize("first", range(len(_ORDER)))
def test_the_first_failed_check_names_the_reason(first: int) -> None:
    """With this and all later checks failing at once, this one's reason is given."""
    changes: dict[str, object] = {}
    where: dict[str, object] = {}
    for _, change, state in _ORDER[first:]:
        changes |= change
        where |= state
    assert reason(sign_decision(decision(**changes), 1), context(**where)) == _ORDER[first][0]
    # Signatures come before all of them.
    assert reason(sign_decision(decision(**changes), 77), context(**where)) == (
        Reason.SIGNER_UNKNOWN
    )


def test_a_decision_for_one_plan_does_not_carry_another_or_a_higher_removal_limit() -> None:
    """The signed action binds the plan's root and the removal guard."""
    envelope = sign_decision(decision(), 1)
    other_plan = decisions.apply_action("cd" * 32, 0)
    more_removals = decisions.apply_action("ab" * 32, 1)
    assert reason(envelope, context(), other_plan) == Reason.ACTION_MISMATCH
    assert reason(envelope, context(), more_removals) == Reason.ACTION_MISMATCH


def test_a_plan_proof_of_one_host_does_not_hold_for_another() -> None:
    """A branch proves one leaf: host and plan both stand in it."""
    plans = {f"{n:08x}-0000-8000-8000-000000000000": f"{n:064x}" for n in range(5)}
    _, proofs = decisions.plan_tree(plans)
    for node, proof in proofs.items():
        for other, plan in plans.items():
            held = decisions.plan_proof_holds(proof, node, plan)
            assert held == (other == node)
            assert decisions.plan_proof_holds(proof, other, plans[node]) == (other == node)
    proof = proofs[min(plans)]
    bad = msgspec.structs.replace(proof, path=(*proof.path[:-1], "zz"))
    assert not decisions.plan_proof_holds(bad, min(plans), plans[min(plans)])
