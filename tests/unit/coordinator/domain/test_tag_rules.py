"""The rules of a set of tags."""

from __future__ import annotations

from coordinator.domain.tag_rules import MAX_TAGS, check


def test_a_good_set_passes() -> None:
    assert check({"role": "web", "a.b/c": "", "x": "https://h:1/+@-_"}) is None
    assert check({}) is None


def test_every_wrong_tag_is_named() -> None:
    refusal = check({"good": "1", "bad key": "1", "key": "bad value"})
    assert refusal is not None
    assert refusal.details is not None
    assert len(refusal.details["tags"]) == 2


def test_there_are_not_more_than_the_limit() -> None:
    assert check({f"t{n}": "" for n in range(MAX_TAGS)}) is None
    assert check({f"t{n}": "" for n in range(MAX_TAGS + 1)}) is not None
