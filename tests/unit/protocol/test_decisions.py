"""Decisions by example; the attacks on them stand in `tests/hostile/test_decisions.py`."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from protocol import canonical, decisions, dsse
from protocol.decisions import Accepted, judge
from protocol.reasons import Refused
from tests.fakes.people import ACTION, NODE, context, decision, key, keyid, sign, sign_decision

SAMPLES = json.loads((Path(__file__).parent / "samples" / "envelopes-v1.json").read_text("utf-8"))


def test_a_decision_is_signed_in_canonical_form_and_read_back() -> None:
    """What is signed is the one byte form of all its fields."""
    payload = decisions.encode(decision())
    value = canonical.decode(payload)
    assert isinstance(value, dict)
    assert sorted(value) == sorted(msgspec.to_builtins(decision()))
    assert decisions.decode(sign(dsse.DECISION, payload)) == decision()


def test_the_action_is_fixed_for_ever() -> None:
    """What is signed today must be recomputed by a newer agent."""
    assert decisions.apply_action("ab" * 32, 3) == (
        b'{"capability":"state.apply","plan_root":"' + b"ab" * 32 + b'","removal_limit":3,"v":1}'
    )
    assert decisions.plan_leaf("n", "p") == b'{"node":"n","plan":"p"}'


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16])
def test_every_host_of_a_fleet_plan_has_a_proof_that_holds(count: int) -> None:
    """The root is one for all, and independent of the order of hosts."""
    plans = {f"{n:08x}-0000-8000-8000-000000000000": f"{n:064x}" for n in range(count)}
    root, proofs = decisions.plan_tree(plans)
    backwards, _ = decisions.plan_tree(dict(reversed(plans.items())))
    assert root == backwards
    for node, proof in proofs.items():
        assert proof.root == root
        assert decisions.plan_proof_holds(proof, node, plans[node])


def test_a_stored_decision_still_holds() -> None:
    """A signature of an older client is still one."""
    envelope = dsse.decode(json.dumps(SAMPLES["decision"]).encode())
    assert judge(envelope, "state.apply", ACTION, context()) == Accepted(decision(), (keyid(1),))


def test_a_decision_over_several_hosts_is_accepted_on_each_of_them() -> None:
    """Its uses count per host."""
    value = decision(nodes=(NODE, "00000000-0000-8000-8000-000000000000"))
    found = judge(sign_decision(value, 1), "state.apply", ACTION, context())
    assert isinstance(found, Accepted)


def test_a_refusal_says_what_exactly_was_wrong() -> None:
    """The detail names both sides of the comparison."""
    found = judge(sign_decision(decision(scope="x/y/z"), 1), "state.apply", ACTION, context())
    assert isinstance(found, Refused)
    assert found.detail == "x/y/z is not default/default/default"


def test_signing_does_not_touch_the_payload() -> None:
    """A second signature stands over the same bytes as the first."""
    once = sign_decision(decision(), 1)
    twice = dsse.add_signature(once, key(2), keyid(2))
    assert twice.payload == once.payload
    assert twice.signatures[0] == once.signatures[0]
