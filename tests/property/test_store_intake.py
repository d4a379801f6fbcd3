"""Whatever the order and number of deliveries, the same journal gives the same state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from coordinator.store import journals, runs, schema
from coordinator.store.database import Tx
from protocol import api
from protocol.journal import Entry
from protocol.messages import Audit, Body, Drift, Finished, Started
from protocol.reports import DriftRecord
from tests.fakes.fleet import FakeHost, Fleet


def story(fleet: Fleet, host: FakeHost) -> list[Entry]:
    """A journal with a plan in it, drift, audit, and reports that change nothing."""
    run = fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=("site",)))
    offer = fleet.one_offer(host)
    plan = host.plan("/srv/a", "/srv/b")
    extra: list[Body] = [
        Drift(DriftRecord("d1", host.node_id, "event", 1.0, "drifted")),
        Started(run.run_id, 7),
        Drift(DriftRecord("d2", host.node_id, "event", 2.0, "in_sync")),
        Audit("note", "x"),
    ]
    host.say(*extra[:2])
    host.result(offer, plan, digest=plan.digest)
    host.say(*extra[2:], Finished(run.run_id, 1, "failed"))
    return host.entries


def everything(tx: Tx) -> list[list[object]]:
    """All that intake may change, without ids and times of our own."""
    kept = [
        select(schema.runs.c.state),
        select(schema.run_events.c.event).order_by(schema.run_events.c.seq),
        select(schema.journal_entries.c.hash).order_by(schema.journal_entries.c.seq),
        select(schema.drift_records.c.record).order_by(schema.drift_records.c.drift_id),
        select(schema.artifacts.c.sha256),
        select(schema.events.c.type, schema.events.c.summary).order_by(schema.events.c.seq),
    ]
    return [[tuple(row) for row in tx.conn.execute(query)] for query in kept]


def told_once() -> list[list[object]]:
    fleet = Fleet()
    host = fleet.add(10)
    fleet.deliver(host, story(fleet, host))
    return fleet.store.read_now(everything)


EXPECTED = told_once()
COUNT = 9


@given(st.lists(st.tuples(st.integers(0, COUNT), st.integers(1, 4), st.booleans()), max_size=12))
def test_deliveries_in_any_order_give_the_state_of_one(
    deliveries: list[tuple[int, int, bool]],
) -> None:
    """Batches that overlap, repeat, come too early or are cut off by a failed transaction."""
    fleet = Fleet()
    host = fleet.add(10)
    entries = story(fleet, host)
    for start, length, fails in deliveries:
        batch = entries[start : start + length]
        if fails:
            failed_delivery(fleet, host, batch)
        else:
            acked = fleet.deliver(host, batch).acked
            head = fleet.store.read_now(lambda tx: journals.head(tx, host.node_id))
            assert acked == head.seq
    # What was refused as a gap leaves one line in the log each; the host then sends from the ack.
    fleet.deliver(host, entries)
    found = fleet.store.read_now(everything)
    assert found[:-1] == EXPECTED[:-1]
    said = [
        line for line in found[-1] if isinstance(line, tuple) and line[0] != "agent.journal_gap"
    ]
    assert said == EXPECTED[-1]
    assert len(fleet.store.read_now(runs.unfinished)) == 0


def failed_delivery(fleet: Fleet, host: FakeHost, batch: list[Entry]) -> None:
    """A batch whose transaction is undone at the last moment."""
    from coordinator.domain import journal_intake

    class Undone(Exception):  # noqa: N818 - only this function knows it
        pass

    def job(tx: Tx) -> None:
        journal_intake.take_in(tx, host.host, host.key.public, batch)
        raise Undone

    try:
        fleet.store.write_now(job)
    except Undone:
        return
    raise AssertionError("the transaction was not undone")
