"""What a signature covers follows from the plans shown; `tests/hostile` plays the liars."""

from __future__ import annotations

import msgspec
import pytest

from client.failures import BadUsageError, ClientError, UntrustedError
from client.sign import (
    HostPlan,
    Statement,
    check_decision,
    check_plan,
    check_removals,
    decide,
    has_signed,
    shown_statement,
    statement,
)
from protocol import decisions, dsse, ids
from protocol.decisions import Accepted, Context
from protocol.keys import SigningKey
from protocol.policy import Policy
from protocol.roster import ApprovalRule, Roster, RosterOperator
from tests.fakes.api_server import item, plan_of

NODE = "0a000000-0000-8000-8000-000000000000"
OTHER = "0b000000-0000-8000-8000-000000000000"


def host(node: str, *actions: str) -> HostPlan:
    items = tuple(
        item(f"/etc/{number}", "remove" if action == "remove" else "update")
        for number, action in enumerate(actions)
    )
    return check_plan(node, None, plan_of(node, *items))


LENA, MAX = SigningKey(b"\x01" * 32), SigningKey(b"\x02" * 32)
SCOPE = "a/b/c"


def roster_of(**rules: object) -> Roster:
    people = tuple(
        RosterOperator(ids.operator_id(key.public), name, key.public.hex(), "operator")
        for name, key in (("lena", LENA), ("max", MAX))
    )
    return msgspec.structs.replace(Roster(1, 1, people, 1, "", 0, {SCOPE: 3}), **rules)


def signed(made: Statement, roster: Roster, **changes: object) -> dsse.Envelope:
    """A decision by lena, some of its fields changed before she signed it."""
    honest = decide(
        made,
        "approve",
        LENA,
        scope=SCOPE,
        roster=roster,
        now=1000.5,
        entropy=b"\x02" * 10,
        comment="ok",
    )
    decision = decisions.decode(honest)
    assert isinstance(decision, decisions.Decision)
    payload = decisions.encode(msgspec.structs.replace(decision, **changes))
    return dsse.sign(dsse.DECISION, payload, LENA, ids.operator_id(LENA.public))


def test_a_signed_decision_is_what_a_host_accepts() -> None:
    """The host judges the decision by the action that it builds itself, and takes it."""
    made = statement([host(NODE, "update"), host(OTHER, "remove")], 1)
    held = roster_of()
    envelope = signed(made, held)
    decision = decisions.decode(envelope)
    assert isinstance(decision, decisions.Decision)
    context = Context(NODE, SCOPE, held, Policy(), "coordinator", bytes(32), {}, {}, 1001.0)
    action = decisions.apply_action(made.root, 1)
    assert isinstance(decisions.judge(envelope, "state.apply", action, context), Accepted)
    assert (decision.expires_at, decision.epoch, decision.roster_version) == (4600, 3, 1)
    assert envelope.payload_type == dsse.DECISION


def test_people_who_sign_together_have_a_working_day() -> None:
    """Where a rule asks for two, the first signature does not end within the hour."""
    made = statement([host(NODE, "update")], 0)
    two = roster_of(approvals={"*": ApprovalRule(2)})
    decision = decisions.decode(signed(made, two))
    assert isinstance(decision, decisions.Decision)
    assert decision.expires_at - decision.not_before == 8 * 3_600


def test_a_co_signer_takes_what_says_no_more_than_was_shown() -> None:
    """The honest decision of another is one that we may sign too."""
    made = statement([host(NODE, "update")], 0)
    found = check_decision(
        signed(made, roster_of()), made, scope=SCOPE, roster=roster_of(), now=1_002.0
    )
    assert found.requested_by == ids.operator_id(LENA.public)


@pytest.mark.parametrize(
    "changes",
    [
        {"uses": 1_000},
        {"nodes": (NODE, OTHER)},
        {"nodes": (), "nodes_root": "ab" * 32, "nodes_count": 2},
        {"action_hash": "ab" * 32},
        {"capability": "command.run"},
        {"verdict": "deny"},
        {"scope": "a/b/d"},
        {"expires_at": 1_000 + 30 * 86_400},
        {"not_before": 1_000 + 20 * 86_400, "expires_at": 1_000 + 20 * 86_400 + 60},
        {"roster_version": 2},
        {"expires_at": 1_001},
        {"epoch": 2},
    ],
)
def test_a_co_signer_signs_nothing_wider(changes: dict[str, object]) -> None:
    """Each field that a host would judge by is held against what was shown."""
    made = statement([host(NODE, "update")], 0)
    envelope = signed(made, roster_of(), **changes)
    with pytest.raises(ClientError) as refused:
        check_decision(envelope, made, scope=SCOPE, roster=roster_of(), now=1_002.0)
    assert refused.value.code in {"decision_changed", "not_ours", "expired"}


def test_only_a_signature_that_holds_is_ones_own() -> None:
    """An envelope that bears our id over other bytes was not signed by us."""
    made = statement([host(NODE, "update")], 0)
    envelope = signed(made, roster_of())
    assert has_signed(envelope, LENA)
    assert not has_signed(envelope, MAX)
    forged = msgspec.structs.replace(signed(made, roster_of(), uses=2), payload=envelope.payload)
    assert not has_signed(forged, LENA)


def test_an_empty_plan_may_leave_its_digest_out() -> None:
    """A host with nothing to bind has the digest of nothing, said or not."""
    plan = plan_of(NODE, item("/etc/a", "none"))
    bare = msgspec.structs.replace(plan, digest="")
    assert not check_plan(NODE, "web", bare).has_changes


def test_a_digest_of_another_item_is_refused() -> None:
    """An item whose digest belongs to something else is a lie about what is bound."""
    good = item("/etc/a", "update")
    bent = msgspec.structs.replace(good, identity="/etc/b")
    plan = msgspec.structs.replace(plan_of(NODE, good), resources=(bent,))
    with pytest.raises(UntrustedError, match="shows one thing"):
        check_plan(NODE, "web", plan)


def test_removals_are_counted_per_host() -> None:
    """The limit is per host: two hosts with one removal each stay within one."""
    plans = [host(NODE, "remove"), host(OTHER, "remove", "update")]
    check_removals(plans, 1)
    with pytest.raises(BadUsageError, match="would remove 1"):
        check_removals(plans, 0)


def test_a_host_without_changes_has_no_part_in_what_is_signed() -> None:
    """The hash on the screen is that of the run that the coordinator will make of it."""
    changing, idle = host(NODE, "update"), host(OTHER)
    assert shown_statement([changing, idle], 0) == statement([changing], 0)
    assert shown_statement([idle], 0) == statement([idle], 0)


def test_the_order_of_hosts_means_nothing() -> None:
    """The same plans give the same hash however they are listed."""
    plans = [host(NODE, "update"), host(OTHER, "remove")]
    assert statement(plans, 1) == statement(plans[::-1], 1)
    assert statement(plans, 1).action_hash != statement(plans, 2).action_hash
