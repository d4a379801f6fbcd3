"""Attacks on what the roster says: recovery keys, postures, rules and grants of a stolen chain."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from protocol import reports
from protocol import roster as rosters
from protocol.limits import MAX_OPERATORS, MAX_ROSTER_CHAIN, MAX_SIGNATURES
from protocol.messages import Audit, RosterUpdate, decode_body
from protocol.reasons import Reason, Refused
from protocol.roster import (
    ApprovalRule,
    Grant,
    RecoveryKey,
    Roster,
    RosterOperator,
    TrustedRoster,
    verify_chain,
    verify_first,
    verify_next,
)
from tests.fakes.agent import make_core
from tests.fakes.people import first_roster, key, keyid, person, sign_roster, trusted

pytestmark = pytest.mark.hostile


def spare(number: int) -> RecoveryKey:
    return RecoveryKey(f"spare{number}", key(number).public.hex())


def following(before: Roster, **changes: object) -> Roster:
    previous = reports.content_digest(rosters.encode(before))
    fields = {"version": before.version + 1, "previous": previous, **changes}
    return msgspec.structs.replace(before, **fields)


def reason(found: TrustedRoster | Refused) -> str:
    """Return why a roster was refused, else its version, with a `!` if recovery keys signed."""
    if isinstance(found, Refused):
        return found.reason
    return f"v{found.roster.version}{'!' if found.recovered else ''}"


V1 = msgspec.structs.replace(
    first_roster(person(1), person(2), person(3, "operator"), threshold=2),
    recovery=(spare(50), spare(51), spare(52)),
    recovery_threshold=2,
)
V2 = following(V1, operators=(person(6), person(7)))
V3 = following(V2, operators=(person(7), person(8)))


@pytest.mark.parametrize(
    ("signed_by", "expected"),
    [
        ((50, 51), "v2!"),
        ((50, 51, 52), "v2!"),
        ((1, 2, 50, 51), "v2"),
        ((50,), Reason.ROSTER_INVALID),
        ((50, 50), Reason.ROSTER_INVALID),
        ((1, 50), Reason.ROSTER_INVALID),
        ((3, 50), Reason.ROSTER_INVALID),
        ((77, 78), Reason.ROSTER_INVALID),
    ],
    ids=str,
)
def test_recovery_takes_its_own_threshold_of_its_own_keys(
    signed_by: tuple[int, ...], expected: str
) -> None:
    """An admin beside one recovery key is neither quorum; admins need no recovery."""
    assert reason(verify_next(trusted(V1), sign_roster(V2, *signed_by))) == expected


def test_a_key_below_the_threshold_that_is_stolen_wins_nothing() -> None:
    """One admin of two, one recovery key of two, and every key of the coordinator."""
    stolen = sign_roster(V2, 1, 50, 9)
    assert reason(verify_next(trusted(V1), stolen)) == Reason.ROSTER_INVALID
    flood = msgspec.structs.replace(stolen, signatures=stolen.signatures * 6)
    assert reason(verify_next(trusted(V1), flood)) == Reason.ROSTER_INVALID


def test_recovery_keys_do_not_make_a_first_roster() -> None:
    """Version 1 names its own, so that they vouch for nothing."""
    assert reason(verify_first(sign_roster(V1, 50, 51), None)) == Reason.ROSTER_INVALID
    assert reason(verify_first(sign_roster(V1, 1, 2), None)) == "v1"


def test_without_recovery_keys_nobody_recovers() -> None:
    """A threshold of none is not met by no signature."""
    bare = first_roster(person(1), person(2), threshold=2)
    after = following(bare, operators=(person(6),), threshold=1)
    for numbers in ((), (1,), (50,)):
        assert reason(verify_next(trusted(bare), sign_roster(after, *numbers))) == (
            Reason.ROSTER_INVALID
        )


def test_one_recovery_key_is_enough_where_the_roster_says_so() -> None:
    """The threshold is the operators' own."""
    bare = first_roster(person(1), person(2), threshold=2)
    one = msgspec.structs.replace(bare, recovery=(spare(50), spare(51)), recovery_threshold=1)
    after = following(one, operators=(person(6),), threshold=1)
    assert reason(verify_next(trusted(one), sign_roster(after, 51))) == "v2!"
    assert reason(verify_next(trusted(one), sign_roster(after, 2))) == Reason.ROSTER_INVALID


def test_a_recovery_anywhere_in_a_chain_is_said_and_said_once() -> None:
    """Versions signed by the new admins afterwards do not hide it; what is known is no news."""
    chain = (sign_roster(V2, 50, 51), sign_roster(V3, 6, 7))
    found = verify_chain(trusted(V1), None, chain)
    assert reason(found) == "v3!"
    assert isinstance(found, TrustedRoster)
    assert reason(verify_chain(found, None, chain[1:])) == "v3"
    honest = following(V3)
    assert reason(verify_chain(found, None, (sign_roster(honest, 7, 8),))) == "v4"
    late = (sign_roster(V2, 1, 2), sign_roster(V3, 50, 51))
    assert reason(verify_chain(trusted(V1), None, late)) == "v3!"
    assert reason(verify_chain(None, None, (sign_roster(V1, 1, 2), *late))) == "v3!"
    assert reason(verify_chain(trusted(V1), None, late[:1])) == "v2"


def test_a_host_cries_out_when_the_admins_were_passed_by(tmp_path: Path) -> None:
    """It follows, for that is what the keys are for, and its own journal says so to everybody."""
    core = make_core(tmp_path / "state")
    from agent.trust import Pins

    core.trust.enrol(Pins(("https://c",), b"k" * 32, "ab" * 32, None))
    core.on_signed(RosterUpdate((sign_roster(V1, 1, 2),)))
    assert core.journal.after(0) == ()
    core.on_signed(RosterUpdate((sign_roster(V2, 50, 51),)))
    said = decode_body(core.journal.after(0)[-1])
    assert isinstance(said, Audit)
    assert (said.event, said.severity) == ("roster.recovered", "critical")
    assert core.trust.roster is not None
    assert core.trust.roster.roster == V2


def test_a_statement_that_is_no_roster_is_refused_with_its_reason() -> None:
    """What is offered as the next version and is none does not count as one."""
    envelope = msgspec.structs.replace(sign_roster(V2, 1, 2), payload="!")
    assert reason(verify_next(trusted(V1), envelope)) == Reason.ROSTER_INVALID
    skipped = msgspec.structs.replace(V2, version=3)
    assert reason(verify_next(trusted(V1), sign_roster(skipped, 1, 2))) == Reason.ROSTER_FORK
    same = following(V1, epochs={"a/b/c": 3})
    again = following(same)
    assert reason(verify_next(trusted(same), sign_roster(again, 1, 2))) == "v3"
    broken = (sign_roster(msgspec.structs.replace(V1, v=2), 1, 2), sign_roster(V1, 1, 2))
    assert reason(verify_chain(None, None, broken)) == Reason.ROSTER_INVALID


def test_the_longest_chain_and_the_largest_roster_are_read() -> None:
    """The limits bound a flood, not an installation."""
    many = first_roster(person(1), *(person(n, "viewer") for n in range(2, 201)))
    assert len(many.operators) == MAX_OPERATORS
    assert reason(verify_first(sign_roster(many, 1), None)) == "v1"
    chain = (sign_roster(V1, 1, 2),) * MAX_ROSTER_CHAIN
    assert reason(verify_chain(trusted(V1), None, chain)) == "v1"
    spares = tuple(spare(50 + n) for n in range(MAX_SIGNATURES))
    most = first_roster(person(1))
    most = msgspec.structs.replace(most, recovery=spares, recovery_threshold=MAX_SIGNATURES)
    assert reason(verify_first(sign_roster(most, 1), None)) == "v1"


NO_POSTURE = ""
WEAK = (b"\x01" + b"\0" * 31).hex()


@pytest.mark.parametrize(
    "changes",
    [
        {"operators": (person(1), msgspec.structs.replace(person(1), username="other"))},
        {"operators": (person(1), msgspec.structs.replace(person(2), operator_id=keyid(3)))},
        {"version": 0, "previous": "ab" * 32},
        {"version": -1, "previous": "ab" * 32},
        {"recovery": (spare(50),)},
        {"recovery": (spare(50),), "recovery_threshold": 2},
        {"recovery_threshold": 1},
        {"recovery": (spare(50), spare(50)), "recovery_threshold": 1},
        {"recovery": (spare(1),), "recovery_threshold": 1},
        {"recovery": (RecoveryKey("x", WEAK),), "recovery_threshold": 1},
        {"recovery": (RecoveryKey("x", "00"),), "recovery_threshold": 1},
        {
            "recovery": tuple(spare(50 + n) for n in range(MAX_SIGNATURES + 1)),
            "recovery_threshold": 1,
        },
        {"postures": {"a/b": "prod"}},
        {"postures": {"a/*": "*"}},
        {"postures": {"a/*": ""}},
        {"postures": {"a/*": "pr od"}},
        {"approvals": {"pr od": ApprovalRule()}},
        {"approvals": {"prod": ApprovalRule(0)}},
        {"approvals": {"prod": ApprovalRule(2)}},
        {"approvals": {"*": ApprovalRule(2)}},
        {"operators": (msgspec.structs.replace(person(1), grants=(Grant((), ("a/b",)),)),)},
        {"operators": (msgspec.structs.replace(person(1), grants=(Grant((), (), "a=("),)),)},
    ],
    ids=str,
)
def test_rules_that_mean_nothing_make_no_roster(changes: dict[str, object]) -> None:
    """A pattern, a selector or a number with a mistake would let in what it should keep out."""
    bad = msgspec.structs.replace(first_roster(person(1)), **changes)
    assert reason(verify_first(sign_roster(bad, 1), "ab" * 32)) == Reason.ROSTER_INVALID


def test_rules_that_mean_something_are_taken() -> None:
    """Each at its limit."""
    people = tuple(person(n, "operator") for n in range(2, 19))
    admin = msgspec.structs.replace(
        person(1), grants=(Grant((), ("a/*", "a/b/c"), "env=dev"), Grant())
    )
    good = msgspec.structs.replace(
        first_roster(admin, *people),
        postures={"*": "dev", "a/*": "staging", "a/b/c": "prod"},
        approvals={
            "prod": ApprovalRule(MAX_SIGNATURES),
            "dev": ApprovalRule(),
            "*": ApprovalRule(),
        },
        epochs={"a/b/c": 0},
        recovery=(spare(50),),
        recovery_threshold=1,
    )
    assert reason(verify_first(sign_roster(good, 1), None)) == "v1"
    more = msgspec.structs.replace(good, approvals={"prod": ApprovalRule(MAX_SIGNATURES + 1)})
    assert reason(verify_first(sign_roster(more, 1), None)) == Reason.ROSTER_INVALID
    one = msgspec.structs.replace(first_roster(person(1)), approvals={"prod": ApprovalRule(1)})
    assert reason(verify_first(sign_roster(one, 1), None)) == "v1"


def test_the_rule_of_a_scope_is_the_stricter_of_its_posture_and_of_all() -> None:
    """The narrowest pattern names the posture; a rule for other work says nothing about this."""
    roster = msgspec.structs.replace(
        first_roster(person(1), person(2), person(3)),
        postures={"*": "dev", "a/b/*": "prod"},
        approvals={
            "prod": ApprovalRule(2, capabilities=("state.apply",)),
            "dev": ApprovalRule(1),
            "*": ApprovalRule(1, requester_excluded=True, capabilities=("command.run",)),
        },
    )
    assert (roster.posture("a/b/c"), roster.posture("a/x/c")) == ("prod", "dev")
    assert first_roster(person(1)).posture("a/b/c") == NO_POSTURE
    assert roster.approval("a/b/c", "state.apply") == ApprovalRule(2)
    assert roster.approval("a/b/c", "command.run") == ApprovalRule(1, requester_excluded=True)
    assert roster.approval("a/x/c", "state.apply") == ApprovalRule(1)
    both = msgspec.structs.replace(
        roster, approvals={"prod": ApprovalRule(1, True), "*": ApprovalRule(3)}
    )
    assert both.approval("a/b/c", "state.apply") == ApprovalRule(3, requester_excluded=True)
    assert both.approval("a/x/c", "state.apply") == ApprovalRule(3)


@pytest.mark.parametrize(
    ("grants", "tags", "expected"),
    [
        ((), None, True),
        ((Grant(),), None, True),
        ((Grant(("state.apply",)),), None, True),
        ((Grant(("command.run",)),), None, False),
        ((Grant(("command.run",)), Grant(("state.apply",))), None, True),
        ((Grant((), ("a/b/*", "x/*")),), None, True),
        ((Grant((), ("x/*",)),), None, False),
        ((Grant((), (), "*"),), None, True),
        ((Grant((), (), "env=dev"),), {"env": "dev"}, True),
        ((Grant((), (), "env=dev"),), {"env": "prod"}, False),
        ((Grant((), (), "env=dev"),), {}, False),
        ((Grant((), (), "!prod"),), {}, True),
        ((Grant((), (), "!prod"),), None, False),
        ((Grant(("command.run",), (), "env=dev"),), {"env": "dev"}, False),
    ],
    ids=str,
)
def test_a_grant_covers_what_it_names_and_no_more(
    grants: tuple[Grant, ...], tags: dict[str, str] | None, expected: bool
) -> None:
    """None of several may be wider than it says; an unknown host is outside every question."""
    operator: RosterOperator = msgspec.structs.replace(person(2, "operator"), grants=grants)
    assert operator.may("state.apply", "a/b/c", tags) is expected
