"""`standfast profile`: what is pinned, and who may move a pin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.api_server import FakeCoordinator
from tests.fakes.operator import Person
from tests.fakes.tls import certificate


def test_profiles_are_made_listed_chosen_and_removed(stranger: Person) -> None:
    """The first is the default, also after a removal."""
    assert stranger.types("profile create a --host a.example").code == 0
    assert stranger.types("profile create b --url http://b.example:80").code == 0
    assert [row[:3] for row in stranger.types("profile list").rows] == [
        ["*", "a", "https://a.example:4748"],
        ["", "b", "http://b.example:80"],
    ]
    assert stranger.types("profile set-default b").code == 0
    assert stranger.types("profile update a --no-tls --port 9").code == 0
    assert stranger.types("profile remove b").code == 2
    assert stranger.types("profile remove b --yes").code == 0
    assert [row[:3] for row in stranger.types("profile list").rows] == [
        ["*", "a", "http://a.example:9"]
    ]
    assert stranger.types("profile set-default b").code == 4


@pytest.mark.parametrize(
    "line",
    [
        "profile create a",
        "profile create ../a --host h",
        "profile create a --host h --fingerprint zz",
        "profile create a --host h --port 0",
    ],
)
def test_a_profile_that_cannot_be_is_a_usage_error(stranger: Person, line: str) -> None:
    """Nothing is stored."""
    assert stranger.types(line).code == 2
    assert not stranger.types("profile list").out


def test_an_existing_profile_is_not_moved_by_create(stranger: Person) -> None:
    """Pins belong to an address; `update` is the word for moving."""
    assert stranger.types("profile create a --host h").code == 0
    assert stranger.types("profile create a --host h --fingerprint " + "ab" * 32).code == 0
    shown = stranger.types("profile create a --host other")
    assert shown.code == 1
    assert "profile update a" in shown.err


def test_a_certificate_is_pinned_by_hand_or_by_question_and_a_change_is_refused(
    stranger: Person, tmp_path: Path
) -> None:
    """A pipe is told the fingerprint and refused; a person is asked; a swap is refused to both."""
    coordinator = FakeCoordinator()
    context, pin = certificate(tmp_path)
    with coordinator.running(context):
        assert stranger.types("operator init --username lena").code == 0
        assert stranger.types(f"profile create lab --url {coordinator.url}").code == 0
        refused = stranger.types("agents list")
        assert refused.code == 2
        assert pin in refused.err
        assert coordinator.requests == []
        assert stranger.types("agents list", answer="n\n").code == 1
        assert coordinator.requests == []
        asked = stranger.types("agents list", answer="y\n")
        assert asked.code == 0, asked
        assert pin in asked.err
        assert stranger.types("agents list").code == 0
        assert stranger.types(f"profile update lab --fingerprint {'0' * 64}").code == 0
        count = len(coordinator.requests)
        swapped = stranger.types("agents list", answer="y\n")
        assert swapped.code == 3
        assert "another TLS certificate" in swapped.err
        assert len(coordinator.requests) == count
        assert stranger.types("profile update lab --accept-new-certificate").code == 0
        assert stranger.types("agents list").code == 0


def test_a_fingerprint_given_at_once_needs_no_question(stranger: Person, tmp_path: Path) -> None:
    """That is how a script begins."""
    coordinator = FakeCoordinator()
    context, pin = certificate(tmp_path)
    with coordinator.running(context):
        line = f"profile create lab --url {coordinator.url} --fingerprint {pin}"
        assert stranger.types("operator init --username lena").code == 0
        assert stranger.types(line).code == 0
        assert stranger.types("agents list").code == 0


def test_without_any_profile_the_next_command_makes_one(stranger: Person) -> None:
    """The first thing that goes wrong for everybody says what to type."""
    shown = stranger.types("status")
    assert shown.code == 2
    assert "standfast profile create" in shown.err
