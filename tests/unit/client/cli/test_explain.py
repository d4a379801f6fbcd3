"""`standfast explain`."""

from __future__ import annotations

import msgspec

from tests.fakes.api_server import FakeCoordinator, item
from tests.fakes.operator import Person


def test_a_code_is_explained_without_asking_anybody(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """Reasons of hosts and codes of the API alike, with what to type next."""
    shown = lena.types("explain quorum_missing")
    assert shown.code == 0, shown
    assert "fewer operators signed" in shown.out
    assert "next: standfast approve RUN" in shown.out
    document = lena.types("explain statement_missing --json").document()
    assert document["next"] == "standfast agents vouch NODE"
    assert lena.types("explain bad_request").code == 0
    assert coordinator.requests == []


def test_a_word_that_is_no_code_gets_the_nearest(lena: Person) -> None:
    refused = lena.types("explain quorum_mising")
    assert refused.code == 4
    assert "did you mean 'quorum_missing'?" in refused.err


def test_a_run_says_why_its_hosts_refused(lena: Person, coordinator: FakeCoordinator) -> None:
    """Each host's reason in words, with its name and the run's id in the next command."""
    coordinator.add_host("web", item("/etc/a"))
    lena.types("state plan web --module web")
    run_id, run = next(iter(coordinator.runs.items()))
    steps = tuple(
        msgspec.structs.replace(step, phase="refused", reason="expired", message="too late")
        for step in run.steps
    )
    coordinator.runs[run_id] = msgspec.structs.replace(run, phase="failed", steps=steps)
    shown = lena.types(f"explain {run_id}")
    assert shown.code == 0, shown
    assert "web: refused: too late" in shown.out
    assert "next: standfast state apply web" in shown.out
    assert lena.types(f"explain {run_id} --json").document()["phase"] == "failed"
    coordinator.runs[run_id] = run
    assert f"next: standfast runs show {run_id}" in lena.types(f"explain {run_id}").out
