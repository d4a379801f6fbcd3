"""Calls of the secrets family."""

from __future__ import annotations

from client import secrets_api
from client.session import Session, Settings
from tests.fakes.api_server import FakeCoordinator
from tests.fakes.operator import Person
from tests.fakes.secret_shelf import Shelf


def test_a_secret_that_is_not_there_is_none(lena: Person, coordinator: FakeCoordinator) -> None:
    """Its name is one part of the path, whatever it holds."""
    Shelf(coordinator)
    session = Session(Settings(config_dir=str(lena.directory)))
    assert secrets_api.find(session.api, "a/../b") is None
    assert secrets_api.listing(session.api) == ()
    session.close()
    assert any("a%2F..%2Fb" in one.path or "a/../b" in one.path for one in coordinator.requests)
