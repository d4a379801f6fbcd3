"""`standfast runs`: what is going on, and how to stop it."""

from __future__ import annotations

from tests.fakes.api_server import FakeCoordinator, Reply, item
from tests.fakes.operator import Person


def test_runs_are_listed_shown_and_cancelled(lena: Person, coordinator: FakeCoordinator) -> None:
    """A finished plan names the command that approves it."""
    coordinator.add_host("web", item("/etc/a"))
    assert lena.types("state plan web --module web").code == 0
    [run_id] = coordinator.runs
    row = lena.types("runs list").rows[0]
    assert row[:5] == [run_id, "state.plan", "completed", "1/1", "web"]
    shown = lena.types(f"runs show {run_id}")
    assert f"next: standfast approve {run_id}" in shown.out
    document = lena.types(f"runs show {run_id} --json").document()
    assert set(document) == {"run_id", "phase", "succeeded", "action_hash", "hosts"}
    coordinator.on("POST", f"/runs/{run_id}/cancel", Reply({}))
    assert lena.types(f"runs cancel {run_id}").code == 2
    assert lena.types(f"runs cancel {run_id} --yes").code == 0
    assert len(coordinator.sent("POST", f"/runs/{run_id}/cancel")) == 1
    assert lena.types("runs show 01NOWHERE").code == 4
