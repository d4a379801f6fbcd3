"""Identifiers and names: made one way, and every other form refused."""

from __future__ import annotations

import uuid

import pytest

from protocol import ids
from protocol.errors import InvalidName
from tests.fakes.people import key


def test_node_and_operator_ids_commit_to_the_key_each_in_its_domain() -> None:
    """Version 8 UUIDs, fixed for ever, and never the same for a node and an operator."""
    assert ids.node_id(key(1).public) == "259beaf8-b9bf-8d72-a975-2db4b88a20e9"
    assert ids.operator_id(key(1).public) == "7c486755-6488-86d1-99a1-7f96b56a9800"
    assert uuid.UUID(ids.node_id(key(1).public)).version == 8
    assert uuid.UUID(ids.node_id(key(1).public)).variant == uuid.RFC_4122


def test_ulids_sort_by_time_and_are_the_published_form() -> None:
    """Ten characters of time, sixteen of entropy."""
    assert ids.ulid(0.0, b"\0" * 10) == "0" * 26
    assert ids.ulid(1_469_918_176.3855, b"\xff" * 10) == "01ARYZ6S41" + "Z" * 16
    assert ids.ulid(1.0, b"\xff" * 10) < ids.ulid(1.0025, b"\0" * 10)
    assert ids.check_ulid(ids.ulid(1e9, b"\x55" * 10))
    with pytest.raises(InvalidName):
        ids.ulid(0.0, b"short")


@pytest.mark.parametrize(
    "text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "i" * 26, "0" * 25 + "L", "0" * 26 + "\n"]
)
def test_what_is_no_ulid_is_refused(text: str) -> None:
    """Length, alphabet and the range of the first character."""
    with pytest.raises(InvalidName):
        ids.check_ulid(text)


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_what_is_not_64_lower_case_hex_digits_is_refused(text: str) -> None:
    """One form for each digest and key."""
    with pytest.raises(InvalidName, match="digest"):
        ids.check_hex64(text, "digest")
    assert ids.check_hex64("0f" * 32, "digest") == b"\x0f" * 32


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda t: t.replace("-", ""), lambda t: "{" + t + "}", lambda t: "urn:uuid:" + t],
)
def test_a_node_id_has_one_form(change: object) -> None:
    """What a UUID parser lets through in other forms is refused."""
    good = ids.node_id(key(1).public)
    assert ids.check_node_id(good) == good
    assert callable(change)
    with pytest.raises(InvalidName):
        ids.check_node_id(change(good))
    with pytest.raises(InvalidName):
        ids.check_node_id("nonsense")


@pytest.mark.parametrize("text", ["a", "Eva-1_x", "\u00c5sa", "\u6c34", "x" * 64])
def test_names_that_people_have_are_taken_in_nfc(text: str) -> None:
    """Letters of any script, digits, dash and underscore."""
    assert ids.check_name(text) == text
    assert ids.check_name("A\u030asa") == "\u00c5sa"


@pytest.mark.parametrize(
    "text", ["", "1a", "-a", "a b", "a\n", "a/b", "a\u200b", "a\u202e", "x" * 65, "\U0001f600"]
)
def test_names_that_mislead_are_refused(text: str) -> None:
    """Nothing invisible, nothing that turns the line around, nothing that is a path."""
    with pytest.raises(InvalidName):
        ids.check_name(text)


def test_names_fold_by_case_and_width() -> None:
    """Two names that look the same count as the same."""
    assert ids.fold_name("EVA") == ids.fold_name("\uff25\uff36\uff21") == "eva"


@pytest.mark.parametrize(
    ("tag", "value", "good"),
    [
        ("env", "prod", True),
        ("a", "", True),
        ("a/b.c-d_e", "x:y@z/+-.", True),
        ("x" * 63, "v" * 128, True),
        ("x" * 64, "", False),
        ("a", "v" * 129, False),
        ("-a", "", False),
        ("a-", "", False),
        ("", "", False),
        ("a b", "", False),
        ("a", "b c", False),
        ("a\n", "", False),
        ("a", "b\n", False),
        ("\u00e9", "", False),
    ],
)
def test_tags_keep_their_rule(tag: str, value: str, good: bool) -> None:
    """ASCII only, bounded, no spaces."""
    if good:
        ids.check_tag(tag, value)
    else:
        with pytest.raises(InvalidName):
            ids.check_tag(tag, value)


def test_a_fingerprint_is_eight_groups_of_four() -> None:
    """Short enough to read aloud, and fixed for ever."""
    assert ids.fingerprint(key(1).public) == "3475-0f98-bd59-fcfc-946d-a45a-aabe-933b"
