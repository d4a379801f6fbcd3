"""The global options mean the same before and after a command's name."""

from __future__ import annotations

import json

import pytest

from tests.fakes.api_server import FakeCoordinator
from tests.fakes.operator import Person


@pytest.mark.parametrize("line", ["--json agents list", "agents --json list", "agents list --json"])
def test_json_may_stand_anywhere(lena: Person, line: str) -> None:
    assert json.loads(lena.types(line).out) == []


def test_an_address_may_be_given_for_once(lena: Person, coordinator: FakeCoordinator) -> None:
    """--url goes past the stored address and does not change it."""
    assert lena.types("profile update lab --url http://127.0.0.1:1").code == 0
    assert lena.types("agents list").code == 1
    assert lena.types(f"agents list --profile lab --url {coordinator.url}").code == 0
    assert lena.types("profile list").rows[0][2] == "http://127.0.0.1:1"
    assert lena.types("agents list --profile nowhere").code == 4


def test_an_address_without_a_profile_becomes_one(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """What is pinned must be kept somewhere, under a name of its own."""
    assert lena.types("profile remove lab --yes").code == 0
    assert lena.types(f"--url {coordinator.url} agents list").code == 0
    [row] = lena.types("profile list").rows
    assert row[2] == coordinator.url
    assert row[1] == coordinator.url.rpartition("/")[2].replace(":", "-")
