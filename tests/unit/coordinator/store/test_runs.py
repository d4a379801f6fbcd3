from __future__ import annotations

import msgspec
import pytest

from coordinator.store import runs
from coordinator.store.database import Store
from coordinator.store.events import Principal
from coordinator.store.runs import RunDetails, StoredRun
from protocol.messages import StepKind
from protocol.run_events import StepFinished
from protocol.runs import RunDefinition, RunEvent, initial, reduce, replay
from tests.fakes.run_stories import done, offered
from tests.fakes.stores import FrozenClock, memory_store


@pytest.fixture
def store() -> Store:
    return memory_store(FrozenClock(1.0))


def make(store: Store, run_id: str, step: StepKind = "state.drift", at: float = 1.0) -> StoredRun:
    nodes = ("a", "b")
    definition = RunDefinition(run_id, step, nodes, 1_000.0)
    operations = {node: f"{run_id}-{node}" for node in nodes}
    details = RunDetails("s", at, Principal("operator", "o"), (), 0, operations)
    run = StoredRun(definition, details, initial(definition))
    store.write_now(lambda tx: runs.add(tx, run))
    return run


def put(store: Store, run: StoredRun, *events: RunEvent) -> StoredRun:
    for event in events:
        state = reduce(run.definition, run.state, event)
        run = msgspec.structs.replace(run, state=state)
        store.write_now(lambda tx, r=run, e=event: runs.save(tx, r, e))
    return run


def test_the_stored_state_is_the_replay_of_the_stored_events(store: Store) -> None:
    """Nothing but the events makes the state."""
    run = put(store, make(store, "r"), offered("a"), *done("a"), offered("b"))
    found = store.read_now(lambda tx: runs.get(tx, "r"))
    assert found == run
    events = [event for _, event in store.read_now(lambda tx: runs.events_of(tx, "r"))]
    assert replay(run.definition, events) == run.state
    assert [n for n, _ in store.read_now(lambda tx: runs.events_of(tx, "r", 3))] == [4, 5]
    page = store.read_now(lambda tx: runs.events_of(tx, "r", 1, limit=2))
    assert [n for n, _ in page] == [2, 3]


def test_what_is_over_is_live_on_no_host(store: Store) -> None:
    """A step that ended is no longer the host's; a run that ended is no longer anybody's."""
    run = put(store, make(store, "r"), offered("a"), *done("a"), offered("b"))
    live = {n: store.read_now(lambda tx, m=n: runs.live_on(tx, m)) for n in "ab"}
    assert (live["a"], live["b"]) == ((), (run,))
    assert store.read_now(runs.unfinished) == (run,)
    assert store.read_now(runs.count_unfinished) == 1
    assert store.read_now(lambda tx: runs.busiest(tx, ("a", "b"))) == ("b", 1)
    assert store.read_now(lambda tx: runs.phase_of(tx, "r")) == "running"
    put(store, run, StepFinished(30.0, "b", 1, "failed"))
    assert store.read_now(lambda tx: runs.live_on(tx, "b")) == ()
    assert store.read_now(runs.unfinished) == ()


def test_runs_are_listed_newest_first_and_by_host_and_phase(store: Store) -> None:
    """With how many there are in all."""
    for number in range(3):
        make(store, f"r{number}", at=float(number))
    page, total = store.read_now(lambda tx: runs.listing(tx, limit=2, node_id="a"))
    assert ([run.run_id for run in page], total) == (["r2", "r1"], 3)
    page, total = store.read_now(lambda tx: runs.listing(tx, limit=2, offset=2, phase="queued"))
    assert ([run.run_id for run in page], total) == (["r0"], 3)
    assert store.read_now(lambda tx: runs.listing(tx, limit=9, node_id="x")) == ((), 0)
    assert store.read_now(lambda tx: runs.listing(tx, limit=9, scope="x")) == ((), 0)
    assert set(store.read_now(lambda tx: runs.some(tx, {"r1", "no"}))) == {"r1"}


def test_operations_are_found_by_id_and_listed(store: Store) -> None:
    """Only those of the kind of step that is asked for."""
    make(store, "r", step="state.apply")
    make(store, "q")
    one = store.read_now(lambda tx: runs.operation(tx, "r-a", "state.apply"))
    assert one == runs.Operation("r-a", "r", "a")
    assert store.read_now(lambda tx: runs.operation(tx, "q-a", "state.apply")) is None
    page, total = store.read_now(lambda tx: runs.operations(tx, "state.apply", limit=1, offset=0))
    assert ([operation.operation_id for operation in page], total) == (["r-b"], 2)
