from __future__ import annotations

from coordinator.domain.run_records import record
from coordinator.store import events, runs
from coordinator.store.database import Tx
from coordinator.store.runs import StoredRun
from protocol import api
from protocol.run_events import CancelRequested, StepFinished, StepStarted
from tests.fakes.fleet import Fleet


def load(tx: Tx, run_id: str) -> StoredRun:
    run = runs.get(tx, run_id)
    assert run is not None
    return run


def test_an_event_that_changes_nothing_leaves_no_trace() -> None:
    """No line in the log, no event of the run, nobody woken: the very same run comes back."""
    fleet = Fleet()
    made = fleet.start(api.RunRequest("state.drift", (fleet.add(10).node_id,)))
    fleet.told.clear()

    def job(tx: Tx) -> None:
        run = load(tx, made.run_id)
        before = events.head(tx), runs.events_of(tx, made.run_id)
        assert record(tx, run, StepStarted(1.0, "stranger", 1)) is run
        assert (events.head(tx), runs.events_of(tx, made.run_id)) == before

    fleet.store.write_now(job)
    assert fleet.told == []


def test_a_change_wakes_who_waits_and_is_told_once() -> None:
    """The run's topic, the host's, and one line each for run and step."""
    fleet = Fleet()
    host = fleet.add(10)
    made = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    fence = fleet.one_offer(host).fence
    fleet.told.clear()

    def job(tx: Tx) -> list[str]:
        before = events.head(tx)
        finished = StepFinished(2.0, host.node_id, fence, "failed", message="disk")
        record(tx, load(tx, made.run_id), finished)
        return [event.type for event in events.after(tx, before)]

    assert fleet.store.write_now(job) == ["run.failed", "step.failed"]
    (topics,) = fleet.told
    assert {f"run:{made.run_id}", f"node:{host.node_id}", "events"} <= topics


def test_a_cancel_wakes_the_hosts() -> None:
    """Their links have something to send."""
    fleet = Fleet()
    host = fleet.add(10)
    made = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    fleet.one_offer(host)
    fleet.told.clear()
    fleet.store.write_now(lambda tx: record(tx, load(tx, made.run_id), CancelRequested(2.0)))
    assert f"node:{host.node_id}" in fleet.told[0]
