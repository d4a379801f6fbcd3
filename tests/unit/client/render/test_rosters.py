from __future__ import annotations

import msgspec

from client.render.rosters import changes, operator_text, roster_lines
from protocol.roster import ApprovalRule, Grant, RecoveryKey, Roster, RosterOperator
from tests.fakes.people import first_roster, key, person

BEFORE = first_roster(person(1), person(2))
SPARE = RecoveryKey("safe", key(50).public.hex())
AFTER = msgspec.structs.replace(
    BEFORE,
    operators=(
        person(1),
        msgspec.structs.replace(
            person(2, "operator"), grants=(Grant(("state.apply",), ("a/*",), "role=web"),)
        ),
        person(3),
    ),
    threshold=2,
    postures={"a/b/c": "prod"},
    approvals={"prod": ApprovalRule(2, True)},
    epochs={"a/b/c": 1},
    recovery=(SPARE,),
    recovery_threshold=1,
)


def _with(one: RosterOperator) -> Roster:
    return msgspec.structs.replace(BEFORE, operators=(person(1), one))


def test_every_change_is_a_sentence() -> None:
    """Nothing that a signature would cover is left out."""
    told = "\n".join(changes(BEFORE, AFTER))
    for words in (
        "+ person3, admin",
        "becomes person2, operator",
        "only state.apply in a/* on hosts role=web",
        "takes 2 admins instead of 1",
        "+ recovery key safe",
        "a recovery takes 1 key instead of 0",
        "+ a/b/c is prod",
        "+ in prod: 2 operators sign, besides whoever asked",
        "+ decisions in a/b/c below epoch 1 are void",
    ):
        assert words in told
    undone = "\n".join(changes(AFTER, BEFORE))
    assert "- person3, admin" in undone
    assert "- recovery key safe" in undone
    risen = msgspec.structs.replace(AFTER, epochs={"a/b/c": 2})
    assert changes(AFTER, risen) == [
        "~ decisions in a/b/c below epoch 2 are void (it was: 1)",
    ]
    assert changes(BEFORE, BEFORE) == ["= nothing but the version"]


def test_no_field_of_a_roster_changes_in_silence() -> None:
    """Each field that may differ between two versions makes a line: also one that is new here."""
    silent = {"v", "version", "previous", "issued_at"}
    for name in BEFORE.__struct_fields__:
        one = msgspec.structs.replace(BEFORE, **{name: getattr(AFTER, name)})
        if name not in silent:
            assert changes(BEFORE, one) != changes(BEFORE, BEFORE), name


def test_no_field_of_an_operator_changes_in_silence() -> None:
    """Two lines that read the same would hide what becomes different, as whom secrets go to."""
    one = person(2, "operator")
    other = person(3)
    grant = Grant(("state.apply",), ("a/*",), "role=web")
    changed = {
        "username": "eve",
        "role": "viewer",
        "sealing_key": "ab" * 32,
        "grants": (grant,),
        "public_key": other.public_key,
        "operator_id": other.operator_id,
    }
    assert set(changed) == set(one.__struct_fields__)
    for name in changed.keys() - {"operator_id"}:
        after = msgspec.structs.replace(one, **{name: changed[name]})
        told = changes(_with(one), _with(after))
        assert len({line.removeprefix("~ ").removeprefix("  becomes ") for line in told}) == 2, name
    for name, value in (
        ("capabilities", ("command.run",)),
        ("scopes", ("b/*",)),
        ("selector", "role=db"),
    ):
        bent = msgspec.structs.replace(grant, **{name: value})
        pair = (msgspec.structs.replace(one, grants=(each,)) for each in (grant, bent))
        told = changes(*map(_with, pair))
        assert len({line.removeprefix("~ ").removeprefix("  becomes ") for line in told}) == 2, name
    # One that is new, or taken over with another key for secrets, shows it as well.
    sealed = msgspec.structs.replace(other, sealing_key="ab" * 32)
    grown = msgspec.structs.replace(BEFORE, operators=(*BEFORE.operators, sealed))
    assert changes(BEFORE, grown) != changes(
        BEFORE, msgspec.structs.replace(grown, operators=(*BEFORE.operators, other))
    )


def test_a_recovery_key_that_is_called_otherwise_is_told() -> None:
    """Its name is what people go by when they look for it."""
    renamed = msgspec.structs.replace(AFTER, recovery=(RecoveryKey("drawer", SPARE.public_key),))
    (line,) = changes(AFTER, renamed)
    assert "safe" in line
    assert "drawer" in line


def test_a_roster_is_told_whole() -> None:
    told = "\n".join(roster_lines(AFTER, "ab" * 32))
    for words in (
        "version 1, sha256:abab",
        "changed by 2 of 2 admins",
        "or recovered by 1 of the keys safe (",
        "a/b/c is prod",
        "in prod: 2 operators sign",
        "epoch of a/b/c: 1",
    ):
        assert words in told


def test_a_sealing_key_that_is_no_key_is_shown_as_such() -> None:
    """Nobody checks it when a roster is signed, so a page about the roster must bear it."""
    one = RosterOperator("id", "mia", "ab" * 32, "admin", sealing_key="zz")
    assert "secrets to that is none" in operator_text(one)
