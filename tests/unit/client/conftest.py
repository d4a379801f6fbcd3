"""An operator and an honest coordinator on a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.api_server import FakeCoordinator
from tests.fakes.operator import Person


@pytest.fixture
def coordinator() -> Iterator[FakeCoordinator]:
    made = FakeCoordinator()
    with made.running():
        yield made


@pytest.fixture
def stranger(tmp_path: Path) -> Person:
    """Nobody yet: an empty directory."""
    return Person(tmp_path / "config")


@pytest.fixture
def lena(stranger: Person, coordinator: FakeCoordinator) -> Person:
    """The first operator, with a profile of the coordinator."""
    stranger.founds(coordinator.url)
    return stranger
