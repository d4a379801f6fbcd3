from __future__ import annotations

import pytest

from coordinator.domain import drift
from coordinator.domain.refusals import Refusal
from protocol import api
from protocol.messages import Drift
from protocol.reports import DriftRecord
from tests.fakes.fleet import FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    made = fleet.add(10)
    for number in range(3):
        status = "drifted" if number == 1 else "in_sync"
        record = DriftRecord(f"d{number}", made.node_id, "event", float(number), status)
        fleet.deliver(made, made.say(Drift(record)))
    return made


def test_records_are_shown_newest_first(fleet: Fleet, host: FakeHost) -> None:
    """All, some, of one status, the latest, one by its id."""
    node = host.node_id
    page = fleet.store.read_now(lambda tx: drift.page(tx, node, limit=2))
    assert isinstance(page, api.DriftPage)
    assert [record.drift_id for record in page.records] == ["d2", "d1"]
    only = fleet.store.read_now(lambda tx: drift.page(tx, node, status="drifted"))
    assert isinstance(only, api.DriftPage)
    assert [record.drift_id for record in only.records] == ["d1"]
    latest = fleet.store.read_now(lambda tx: drift.latest(tx, node))
    assert isinstance(latest, DriftRecord)
    assert latest == fleet.store.read_now(lambda tx: drift.get(tx, "d2"))


def test_a_manual_look_is_kept_like_the_hosts_own(fleet: Fleet, host: FakeHost) -> None:
    """The result of a drift run is a drift record."""
    fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    offer = fleet.one_offer(host)
    record = DriftRecord(offer.operation_id, host.node_id, "manual", 9.0, "in_sync")
    fleet.deliver(host, host.result(offer, record))
    found = fleet.store.read_now(lambda tx: drift.get(tx, offer.operation_id))
    assert found == record


def test_what_is_not_there_is_not_found(fleet: Fleet) -> None:
    """A host that never looked has no latest record, an unknown one is refused."""
    quiet = fleet.add(11)
    assert fleet.store.read_now(lambda tx: drift.latest(tx, quiet.node_id)) is None
    for answer in (
        fleet.store.read_now(lambda tx: drift.latest(tx, "x")),
        fleet.store.read_now(lambda tx: drift.page(tx, "x")),
        fleet.store.read_now(lambda tx: drift.get(tx, "x")),
    ):
        assert isinstance(answer, Refusal)
        assert answer.kind == "not_found"
