from __future__ import annotations

import msgspec

from client.render.rosters import changes, roster_lines
from protocol.roster import ApprovalRule, Grant, RecoveryKey
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


def test_every_change_is_a_sentence() -> None:
    """Nothing that a signature would cover is left out."""
    told = "\n".join(changes(BEFORE, AFTER))
    for words in (
        "+ person3, admin",
        "becomes person2, operator",
        "only state.apply in a/* on hosts role=web",
        "takes 2 admins instead of 1",
        "+ recovery key safe",
        "a recovery takes 1 keys instead of 0",
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
