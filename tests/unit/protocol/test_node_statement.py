"""What operators say about a host: whose word counts, on what, and only ever anew."""

from __future__ import annotations

import msgspec
import pytest

from protocol import dsse, ids, node_statement
from protocol.node_statement import MAX_TAGS, NodeStatement
from protocol.reasons import Reason, Refused
from protocol.roster import ApprovalRule, Grant, Roster
from tests.fakes.people import NODE, NOW, first_roster, key, keyid, person, sign

SCOPE = "acme/shop/prod"
HELD = NodeStatement(1, 1, NODE, key(100).public.hex(), "web1", SCOPE, {"env": "prod"}, NOW)


def after(**changes: object) -> NodeStatement:
    return msgspec.structs.replace(HELD, **{"version": 2, **changes})


def signed(statement: NodeStatement, *numbers: int) -> dsse.Envelope:
    return sign(dsse.NODE, node_statement.encode(statement), *numbers)


def roster_with(*grants: Grant, role: object = "operator", **fields: object) -> Roster:
    """An admin 1, an operator 2 with grants, a viewer 4, an automation 5."""
    second = msgspec.structs.replace(person(2, role), grants=grants)
    roster = first_roster(person(1), second, person(4, "viewer"), person(5, "automation"))
    return msgspec.structs.replace(roster, **fields)


def reason(found: NodeStatement | Refused) -> str:
    return found.reason if isinstance(found, Refused) else "ok"


def test_an_admin_says_it_and_nobody_of_less() -> None:
    """First and later; whoever may decide on work may not by that change what guards the host."""
    roster = roster_with()
    assert node_statement.verify(signed(HELD, 1), roster) == HELD
    assert node_statement.verify(signed(after(), 1), roster, HELD) == after()
    for number in (2, 4, 5):
        assert reason(node_statement.verify(signed(HELD, number), roster)) == (
            Reason.STATEMENT_INVALID
        )
    assert reason(node_statement.verify(signed(HELD, 77), roster)) == Reason.SIGNER_UNKNOWN
    assert reason(node_statement.verify(signed(HELD), roster)) == Reason.UNSIGNED


def test_an_operator_needs_a_grant_that_names_it() -> None:
    """An empty list of capabilities means every one for work, and is not meant for this."""
    for grants in ((Grant(),), (Grant(("state.apply",)),)):
        found = node_statement.verify(signed(HELD, 2), roster_with(*grants))
        assert reason(found) == Reason.STATEMENT_INVALID
    named = roster_with(Grant(("state.apply",)), Grant(("policy.change",)))
    assert node_statement.verify(signed(HELD, 2), named) == HELD
    one = roster_with(Grant(("policy.change",), ("x/*",)), Grant(("policy.change",), (SCOPE,)))
    assert node_statement.verify(signed(HELD, 2), one) == HELD
    assert node_statement.verify(signed(after(), 2), one, HELD) == after()
    # The grants of an admin narrow him as well, to what they cover.
    assert reason(
        node_statement.verify(signed(HELD, 2), roster_with(Grant(("command.run",)), role="admin"))
    ) == (Reason.STATEMENT_INVALID)
    assert node_statement.verify(signed(HELD, 2), roster_with(Grant(), role="admin")) == HELD


@pytest.mark.parametrize(
    ("grant", "held", "new", "expected"),
    [
        ({"scopes": (SCOPE,)}, HELD, after(), "ok"),
        ({"scopes": (SCOPE,)}, HELD, after(scope="acme/shop/dev"), Reason.STATEMENT_INVALID),
        ({"scopes": ("acme/shop/dev",)}, HELD, after(scope="acme/shop/dev"), "statement_invalid"),
        ({"scopes": ("acme/*",)}, HELD, after(scope="acme/shop/dev"), "ok"),
        ({"scopes": (SCOPE,)}, None, HELD, "ok"),
        ({"scopes": ("x/*",)}, None, HELD, Reason.STATEMENT_INVALID),
        ({"selector": "env=prod"}, HELD, after(tags={"env": "prod", "a": "b"}), "ok"),
        ({"selector": "env=prod"}, HELD, after(tags={"env": "dev"}), Reason.STATEMENT_INVALID),
        ({"selector": "env=dev"}, HELD, after(tags={"env": "dev"}), Reason.STATEMENT_INVALID),
        ({"selector": "env=prod"}, None, HELD, Reason.STATEMENT_INVALID),
        ({"selector": "env!=dev"}, None, HELD, Reason.STATEMENT_INVALID),
        ({"selector": "*"}, None, HELD, "ok"),
    ],
)
def test_a_grant_must_cover_the_host_before_and_after(
    grant: dict[str, object], held: NodeStatement | None, new: NodeStatement, expected: str
) -> None:
    """Nobody moves a host into his own reach, nor out of that of others."""
    roster = roster_with(Grant(("policy.change",), **grant))
    assert reason(node_statement.verify(signed(new, 2), roster, held)) == expected


def test_versions_only_rise() -> None:
    """The same one again is no news; an older, or another of the same number, is refused."""
    roster = roster_with()
    assert node_statement.verify(signed(HELD, 77), roster, HELD) == HELD
    for version, name in ((1, "other"), (0, "web1"), (1, "web2")):
        older = msgspec.structs.replace(HELD, version=version, name=name)
        expected = Reason.STATEMENT_OLD if version else Reason.STATEMENT_INVALID
        assert reason(node_statement.verify(signed(older, 1), roster, HELD)) == expected
    assert node_statement.verify(signed(after(version=9), 1), roster, HELD) == after(version=9)
    other = after(node_id=ids.node_id(b"x" * 32))
    assert reason(node_statement.verify(signed(other, 1), roster, HELD)) == (
        Reason.STATEMENT_INVALID
    )


def test_a_rule_that_names_it_and_a_move_take_more_signatures() -> None:
    """Leaving a posture takes what the posture takes, else moving would be the way round it."""
    two = ApprovalRule(2)
    helper = Grant(("policy.change",))
    roster = roster_with(helper, postures={SCOPE: "prod"}, approvals={"prod": two})
    assert node_statement.quorum(roster, HELD, None) == 1
    assert node_statement.quorum(roster, after(), HELD) == 1
    moved = after(scope="acme/shop/dev")
    assert reason(node_statement.verify(signed(moved, 1), roster, HELD)) == Reason.QUORUM_MISSING
    assert reason(node_statement.verify(signed(moved, 1, 4), roster, HELD)) == (
        Reason.QUORUM_MISSING
    )
    assert node_statement.verify(signed(moved, 1, 2), roster, HELD) == moved
    named = msgspec.structs.replace(
        roster, approvals={"prod": ApprovalRule(2, capabilities=("policy.change",))}
    )
    assert reason(node_statement.verify(signed(HELD, 1), named)) == Reason.QUORUM_MISSING
    assert node_statement.verify(signed(HELD, 1, 2), named) == HELD
    other = msgspec.structs.replace(
        roster, approvals={"prod": ApprovalRule(2, capabilities=("command.run",))}
    )
    assert node_statement.quorum(other, moved, HELD) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"issued_at": -1},
        {"node_id": NODE.upper()},
        {"public_key": "00"},
        {"public_key": (b"\x01" + b"\0" * 31).hex()},
        {"name": "a b"},
        {"name": "e\u0301va"},
        {"scope": "acme"},
        {"scope": "acme/shop/*"},
        {"tags": {"a b": ""}},
        {"tags": {"a": "b c"}},
        {"tags": {f"t{n}": "" for n in range(MAX_TAGS + 1)}},
        {"v": 2},
    ],
)
def test_what_is_malformed_is_invalid_though_signed(changes: dict[str, object]) -> None:
    """An admin's signature makes nonsense no better."""
    envelope = signed(msgspec.structs.replace(HELD, **changes), 1)
    assert reason(node_statement.verify(envelope, roster_with())) == Reason.STATEMENT_INVALID


def test_the_limits_themselves_are_allowed() -> None:
    """As many tags as there may be, and the first second of all."""
    edge = msgspec.structs.replace(HELD, tags={f"t{n}": "" for n in range(MAX_TAGS)}, issued_at=0)
    assert node_statement.verify(signed(edge, 1), roster_with()) == edge


def test_another_kind_or_byte_form_is_no_statement() -> None:
    """One kind of statement is never taken for another, nor one value in two forms."""
    text = node_statement.encode(HELD)
    roster = roster_with()
    assert reason(node_statement.verify(sign(dsse.DECISION, text, 1), roster)) == (
        Reason.STATEMENT_INVALID
    )
    for payload in (b" " + text, text.replace(b'"v":1', b'"v":1,"v":1'), b"", b"[]"):
        assert reason(node_statement.verify(sign(dsse.NODE, payload, 1), roster)) == (
            Reason.STATEMENT_INVALID
        )


def test_it_vouches_for_the_key_that_it_names() -> None:
    """After a new installation the id may commit to another key: the operators' word counts."""
    assert node_statement.vouches_for(HELD, key(100).public)
    assert not node_statement.vouches_for(HELD, key(101).public)
    assert not node_statement.may_sign(None, HELD, None)
    assert keyid(1) in roster_with().keys(frozenset({"admin"}))
