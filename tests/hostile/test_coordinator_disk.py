"""The coordinator's disk is full: it says so, goes on, and loses nothing that it has answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.live_coordinator import LiveCoordinator, running
from tests.fakes.small_disk import fill, mount

pytestmark = [pytest.mark.hostile, pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Iterator[Path]:
    yield from mount(tmp_path / "data", "16m")


def add(live: LiveCoordinator, number: int) -> int:
    """Add an operator whose name needs some room, and return the status."""
    body = {"public_key": f"{number:064x}", "username": f"operator-{number}"}
    return live.http.post("/operators", json=body, headers=live.bearer()).status_code


def test_a_full_disk_is_said_and_loses_nothing_that_was_answered(
    tmp_path: Path, data: Path
) -> None:
    """503 with a time to come back, reading goes on, and with room again so does writing."""
    with running(tmp_path) as live:
        stored = [number for number in range(20) if add(live, number) == 201]
        assert stored == list(range(20))
        filler = fill(data)
        answers = {number: add(live, number) for number in range(100, 160)}
        assert set(answers.values()) <= {201, 503}
        assert 503 in answers.values()
        refused = live.http.delete(f"/agents/{live.pending}/tags/x", headers=live.bearer())
        assert refused.status_code in {404, 503}
        assert live.http.get("/agents", headers=live.bearer()).status_code == 200
        filler.unlink()
        assert add(live, 500) == 201
        stored += [number for number, status in answers.items() if status == 201] + [500]
        listed = live.http.get("/operators", headers=live.bearer()).json()
        held = {operator["username"] for operator in listed}
        assert {f"operator-{number}" for number in stored} <= held
        missing = {f"operator-{number}" for number, status in answers.items() if status == 503}
        assert not missing & held
