from __future__ import annotations

from coordinator.store import drifts
from protocol.reports import AppliedSummary, DriftRecord, MachineState
from tests.fakes.stores import FrozenClock, memory_store


def test_records_are_kept_once_newest_first_and_for_thirty_days() -> None:
    """The same record again is no new one."""
    clock = FrozenClock(0.0)
    store = memory_store(clock)
    for number, status in enumerate(("in_sync", "drifted", "in_sync")):
        record = DriftRecord(f"d{number}", "n", "event", float(number), status)  # type: ignore[arg-type]  # the literals above are statuses
        assert store.write_now(lambda tx, r=record: drifts.put(tx, "s", r))
        assert not store.write_now(lambda tx, r=record: drifts.put(tx, "s", r))
    listed = store.read_now(lambda tx: drifts.listing(tx, "n", limit=2))
    assert [record.drift_id for record in listed] == ["d2", "d1"]
    only = store.read_now(lambda tx: drifts.listing(tx, "n", limit=9, status="drifted"))
    assert [record.drift_id for record in only] == ["d1"]
    clock.now += drifts.KEEP_SECONDS + 1
    store.write_now(lambda tx: drifts.put(tx, "s", DriftRecord("d9", "n", "event", 9.0, "failed")))
    assert store.read_now(lambda tx: drifts.get(tx, "d1")) is None
    assert store.read_now(lambda tx: drifts.get(tx, "d9")) is not None


def test_the_state_of_the_latest_apply_counts() -> None:
    """A result that comes late does not replace a newer one."""
    store = memory_store()
    old, new = MachineState(), MachineState((AppliedSummary("m", "t", "i"),))
    store.write_now(lambda tx: drifts.put_state(tx, "n", "o2", 2.0, new))
    store.write_now(lambda tx: drifts.put_state(tx, "n", "o1", 1.0, old))
    assert store.read_now(lambda tx: drifts.state(tx, "n")) == new
    assert store.read_now(lambda tx: drifts.state(tx, "other")) is None
