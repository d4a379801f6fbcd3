"""Reports with all their fields."""

from __future__ import annotations

import msgspec

from coordinator.api.whole import whole
from protocol import reports
from protocol.reports import DriftRecord, PlanResult, PlanSummary, ResourceDiff


def test_empty_fields_are_there_and_the_rest_is_as_it_was() -> None:
    """A client finds `resources`, `changes`, `triggers`; a decoder finds the same report."""
    record = DriftRecord("d", "n", "manual", 1.0, "in_sync")
    assert msgspec.json.decode(msgspec.json.encode(whole(record))) == {
        "drift_id": "d",
        "node_id": "n",
        "source": "manual",
        "checked_at": 1.0,
        "status": "in_sync",
        "snapshot_operation_id": None,
        "resources": [],
        "message": None,
        "repaired": [],
        "pending": [],
    }
    item = ResourceDiff("m", "file-unix", "/x", "create", changes=(reports.Change("mode"),))
    plan = PlanResult("n", ("m",), (item,), PlanSummary(create=1))
    shown = msgspec.json.encode(whole(plan))
    assert msgspec.json.decode(shown, type=PlanResult) == plan
    (resource,) = msgspec.json.decode(shown)["resources"]
    assert (resource["triggers"], resource["changes"][0]["sensitive"]) == ([], False)
