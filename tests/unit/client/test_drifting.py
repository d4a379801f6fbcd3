"""Drift on demand and on record; the commands themselves are tested in `cli/test_state.py`."""

from __future__ import annotations

import msgspec

from protocol import api
from protocol.reports import DriftRecord
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person


def test_records_of_all_hosts_come_newest_first(lena: Person, coordinator: FakeCoordinator) -> None:
    """The limit counts over all hosts."""
    for name, moment in (("a", 5.0), ("b", 9.0), ("c", 7.0)):
        node = coordinator.add_host(name)
        record = DriftRecord(f"d-{name}", node, "event", moment, "in_sync")
        coordinator.on("GET", f"/agents/{node}/drift", Reply([record]))
    assert [row[1] for row in lena.types("state drift-list --limit 2").rows] == ["b", "c"]
    assert [row[1] for row in lena.types("state drift-list --agent a").rows] == ["a"]


def test_a_host_that_did_not_look_says_why(lena: Person, coordinator: FakeCoordinator) -> None:
    """No record is an error with the phase and the next command, never a silence."""
    coordinator.add_host("web")

    def lost(run: api.Run) -> api.Run:
        step = msgspec.structs.replace(run.steps[0], phase="expired", result=None, message="away")
        return msgspec.structs.replace(run, phase="failed", steps=(step,))

    coordinator.bend = lost
    shown = lena.types("state drift web")
    assert shown.code == 1
    assert "web did not look: expired" in shown.err
    assert "standfast why web" in shown.err
