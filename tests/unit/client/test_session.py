"""Which profile is meant, and what happens at first contact."""

from __future__ import annotations

import pytest

from client.failures import BadUsageError, NotFoundError
from client.profiles import Profile, Profiles
from client.session import Settings, choose
from protocol import api
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person

STORED = Profiles().put(Profile("a", "https://a:1")).put(Profile("b", "https://b:2"))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), Profile("a", "https://a:1")),
        (Settings(profile="b"), Profile("b", "https://b:2")),
        (Settings(profile="b", url="https://c:3"), Profile("b", "https://c:3")),
        (Settings(url="https://b:2"), Profile("b", "https://b:2")),
        (Settings(url="https://c:3"), Profile("c-3", "https://c:3")),
    ],
)
def test_the_profile_follows_the_options(settings: Settings, expected: Profile) -> None:
    assert choose(STORED, settings) == expected


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(NotFoundError):
        choose(STORED, Settings(profile="c"))
    with pytest.raises(BadUsageError, match="no coordinator"):
        choose(Profiles(), Settings())


def test_something_that_is_no_coordinator_is_not_pinned(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A key that is no key is not kept."""
    coordinator.on("GET", "/status", Reply(api.Status(1, "ok", "not a key")))
    assert lena.types("status").code == 3
    assert lena.types("profile list").rows[0][4] == "not pinned"


def test_a_second_operator_without_a_roster_of_their_own_is_told_what_to_do(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A coordinator without a roster needs one from the operator who founds the fleet."""
    (lena.directory / "roster.json").unlink()
    shown = lena.types("operator list")
    assert shown.code == 1
    assert "operator init" in shown.err
    assert coordinator.chain == []
