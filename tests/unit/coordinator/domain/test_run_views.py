from __future__ import annotations

import pytest

from coordinator.domain import run_views, runs
from protocol import api
from protocol.reports import ApplyResult, DriftRecord, PlanResult
from tests.fakes.fleet import Fleet


def test_times_are_rfc_3339_in_utc() -> None:
    """With milliseconds and a Z."""
    assert run_views.rfc3339(1_800_000_000.25) == "2027-01-15T08:00:00.250Z"


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"node_id": 1}', b"\xff", b"[" * 100_000])
def test_a_document_that_is_none_is_none(data: bytes) -> None:
    """What a host sends is not trusted to be what it should be."""
    assert run_views.decode("state.plan", data) is None
    assert run_views.decode("state.apply", data) is None


def test_results_stand_in_a_run_and_not_in_a_list() -> None:
    """A list of runs stays small."""
    fleet = Fleet()
    host = fleet.add(10)
    run = fleet.planned(host)
    assert run.steps[0].result is not None
    (listed,), total = fleet.store.read_now(lambda tx: runs.list_runs(tx, limit=5))
    assert (listed.steps[0].result, total) == (None, 1)
    plan = fleet.store.read_now(lambda tx: run_views.step_result(tx, run, host.node_id))
    assert isinstance(plan, PlanResult)
    assert fleet.store.read_now(lambda tx: run_views.step_result(tx, run, "other")) is None


def test_each_kind_of_step_has_its_document() -> None:
    """A drift record is no plan."""
    host = Fleet().add(10)
    assert isinstance(run_views.decode("state.plan", api_bytes(host.plan())), PlanResult)
    record = DriftRecord("d", "n", "manual", 1.0, "in_sync")
    assert run_views.decode("state.drift", api_bytes(record)) == record
    result = ApplyResult("o", "n", (), "succeeded", 1.5, 2.5)
    assert run_views.decode("state.apply", api_bytes(result)) == result


def api_bytes(document: PlanResult | DriftRecord | ApplyResult) -> bytes:
    """A document as a host sends it."""
    import msgspec

    assert api is not None
    return msgspec.json.encode(document)
