"""What a signature covers follows from the plans shown; `tests/hostile` plays the liars."""

from __future__ import annotations

import msgspec
import pytest

from client.failures import BadUsageError, UntrustedError
from client.sign import (
    HostPlan,
    check_plan,
    check_removals,
    decide,
    shown_statement,
    statement,
)
from protocol import decisions, dsse
from protocol.decisions import Accepted, Context
from protocol.keys import SigningKey
from protocol.policy import Policy
from protocol.roster import Roster, RosterOperator
from tests.fakes.api_server import item, plan_of

NODE = "0a000000-0000-8000-8000-000000000000"
OTHER = "0b000000-0000-8000-8000-000000000000"


def host(node: str, *actions: str) -> HostPlan:
    items = tuple(
        item(f"/etc/{number}", "remove" if action == "remove" else "update")
        for number, action in enumerate(actions)
    )
    return check_plan(node, None, plan_of(node, *items))


def test_a_signed_decision_is_what_a_host_accepts() -> None:
    """The host judges the decision by the action that it builds itself, and takes it."""
    key = SigningKey(b"\x01" * 32)
    made = statement([host(NODE, "update"), host(OTHER, "remove")], 1)
    envelope = decide(
        made, "approve", key, scope="a/b/c", epoch=3, now=1000.5, entropy=b"\x02" * 10, comment="ok"
    )
    signed = decisions.decode(envelope)
    assert isinstance(signed, decisions.Decision)
    who = RosterOperator(signed.requested_by, "lena", key.public.hex(), "operator")
    context = Context(
        NODE,
        "a/b/c",
        Roster(1, 1, (who,), 1, "", 0, {"a/b/c": 3}),
        Policy(),
        "coordinator",
        b"\x00" * 32,
        {},
        {},
        1001.0,
    )
    action = decisions.apply_action(made.root, 1)
    assert isinstance(decisions.judge(envelope, "state.apply", action, context), Accepted)
    assert signed.expires_at == 4600
    assert envelope.payload_type == dsse.DECISION


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
