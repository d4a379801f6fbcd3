"""The next roster as it is asked for on the command line."""

from __future__ import annotations

import msgspec
import pytest

from client import roster_edits
from client.failures import BadUsageError
from client.roster_edits import (
    Edits,
    edited,
    parse_grant,
    parse_posture,
    parse_recovery,
    parse_rule,
)
from protocol.roster import ApprovalRule, Grant, RecoveryKey
from tests.fakes.people import first_roster, key, person, trusted

HELD = trusted(first_roster(person(1), person(2)))
SPARE = RecoveryKey("safe", key(50).public.hex())


def test_an_edit_changes_what_it_names_and_nothing_else() -> None:
    """The next version follows the one held; a second edit takes entries away again."""
    rule = ApprovalRule(2, requester_excluded=True)
    made = edited(
        HELD,
        Edits(
            threshold=2,
            postures={"default/*": "prod"},
            approvals={"prod": rule},
            epochs={"a/b/c": 3},
            recovery=(SPARE,),
        ),
        9.5,
    )
    assert (made.version, made.previous, made.issued_at) == (2, HELD.digest, 9)
    assert made.operators == HELD.roster.operators
    assert (made.threshold, made.postures, made.approvals) == (
        2,
        {"default/*": "prod"},
        {"prod": rule},
    )
    assert (made.epochs, made.recovery, made.recovery_threshold) == ({"a/b/c": 3}, (SPARE,), 1)
    second = trusted(made)
    undone = edited(
        second,
        Edits(postures={"default/*": ""}, approvals={"prod": None}, lost=("safe",)),
        10.0,
    )
    expected = msgspec.structs.replace(
        made,
        version=3,
        previous=second.digest,
        issued_at=10,
        postures={},
        approvals={},
        recovery=(),
        recovery_threshold=0,
    )
    assert undone == expected


def test_grants_replace_those_of_one_operator() -> None:
    grants = (Grant(("state.apply",), ("default/*",), "role=web"),)
    made = roster_edits.with_grants(HELD, person(2).operator_id, grants, 9.0)
    assert [one.grants for one in made.operators] == [(), grants]


def test_what_is_typed_is_read() -> None:
    """Each in its one form; an empty value takes the entry away."""
    assert parse_posture("default/shop/*=prod") == ("default/shop/*", "prod")
    assert parse_posture("default/shop/*=") == ("default/shop/*", "")
    assert parse_rule("prod=2,requester-excluded,state.apply") == (
        "prod",
        ApprovalRule(2, True, ("state.apply",)),
    )
    assert parse_rule("prod=") == ("prod", None)
    assert parse_recovery(f"safe={SPARE.public_key}") == ("safe", SPARE)
    assert parse_recovery("safe=") == ("safe", None)
    assert parse_grant(["state.apply"], ["a/*"], "role=web") == Grant(
        ("state.apply",), ("a/*",), "role=web"
    )


@pytest.mark.parametrize("text", ["", "prod", "a/b/c", "a//c=prod", "a/b/c=no name", "=prod"])
def test_a_posture_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadUsageError):
        parse_posture(text)


@pytest.mark.parametrize("text", ["", "prod", "=2", "prod=two", "prod=2,fly", "prod=-1"])
def test_a_rule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadUsageError):
        parse_rule(text)


@pytest.mark.parametrize("text", ["", "safe=abc", f"9={SPARE.public_key}", SPARE.public_key])
def test_a_recovery_key_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadUsageError):
        parse_recovery(text)


@pytest.mark.parametrize(
    ("names", "scopes", "selector"),
    [(["fly"], [], ""), ([], ["a"], ""), ([], [], "role in (")],
)
def test_a_grant_that_is_none_is_refused(
    names: list[str], scopes: list[str], selector: str
) -> None:
    with pytest.raises(BadUsageError):
        parse_grant(names, scopes, selector)
