"""What the coordinator says of itself."""

from __future__ import annotations

from coordinator.domain import status
from tests.fakes.api_site import Desk


def test_a_stranger_learns_the_key_and_no_number() -> None:
    shown = status.public(b"k" * 32, ())
    assert shown.public_key == "6b" * 32
    assert (shown.version, shown.roster_version, shown.agents) == ("", 0, {})


def test_an_operator_sees_roster_and_hosts() -> None:
    shown = Desk.open().do(lambda tx: status.full(tx, b"k" * 32, (), "1.2"))
    assert shown.version == "1.2"
    assert shown.roster_version == 1
    assert shown.agents == {"pending": 1, "approved": 1, "rejected": 0, "connected": 0}
