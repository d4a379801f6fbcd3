"""What a host remembers of the log is held against it."""

from __future__ import annotations

from coordinator.domain import audit, audit_witness
from coordinator.store import audit as stored
from coordinator.store.events import Principal
from protocol.audit_journals import Seen
from tests.fakes.api_site import COORDINATOR_KEY, Desk

WEB = Principal("agent", "n1", "web-1")


def test_a_host_that_remembers_what_is_there_says_nothing_new() -> None:
    desk = Desk.open()
    seq = desk.last_event().seq
    held = desk.store.read_now(lambda tx: stored.hash_at(tx, 3))
    assert held is not None
    desk.do(lambda tx: audit_witness.host_saw(tx, WEB, "s", Seen(3, held)))
    assert desk.last_event().seq == seq


def test_another_line_or_a_log_that_is_too_short_is_critical_and_said_once() -> None:
    desk = Desk.open()
    for seen, what in ((Seen(3, "ab" * 32), "another line"), (Seen(999, "ab" * 32), "ends before")):
        for _ in range(3):
            desk.do(lambda tx, s=seen: audit_witness.host_saw(tx, WEB, "s", s))  # type: ignore[misc]  # bound now
        told = desk.last_event()
        assert (told.type, told.severity) == ("audit.contradicted", "critical")
        assert what in told.summary
    seq = desk.last_event().seq
    desk.clock.now += 100
    who = desk.ada.principal()
    desk.do(lambda tx: audit.prune(tx, who, desk.clock.now, COORDINATOR_KEY))
    desk.do(lambda tx: audit_witness.host_saw(tx, WEB, "s", Seen(3, "ab" * 32)))
    assert desk.last_event().seq == seq + 1
