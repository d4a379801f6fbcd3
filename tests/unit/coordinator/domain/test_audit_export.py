"""What is exported can be checked without the coordinator."""

from __future__ import annotations

from coordinator.domain import audit_export, journal_intake
from coordinator.domain.host_reports import Host
from protocol import ids, journal
from protocol.audit_chain import Checker
from protocol.audit_journals import Journals, Seen, note_head
from protocol.messages import Audit, encode_body
from tests.fakes.api_site import APPROVED, Desk, host_key


def test_lines_and_journals_hold_as_they_are_exported() -> None:
    desk = Desk.open()
    key = host_key(2)
    host = Host(APPROVED, ids.DEFAULT_SCOPE, "web-1")
    bodies = [Audit("a", "one"), note_head(3, "ab" * 32)]
    prev = journal.GENESIS
    entries: list[journal.Entry] = []
    for number, body in enumerate(bodies):
        entry = journal.seal(number + 1, prev, 1.5, "audit", encode_body(body), key)
        entries.append(entry)
        prev = journal.hash_of(entry)
    desk.do(lambda tx: journal_intake.take_in(tx, host, key.public, entries))
    checker = Checker(None)
    for raw in desk.store.read_now(lambda tx: audit_export.lines(tx, 0, 500)).splitlines():
        checker.feed(raw)
    assert checker.findings == []
    assert checker.last == desk.last_event().seq
    reader = Journals()
    whole = desk.store.read_now(lambda tx: audit_export.journals_after(tx, "", 0, 500))
    for raw in whole.splitlines():
        reader.feed(raw)
    assert reader.findings == []
    assert reader.seen == [(APPROVED, Seen(3, "ab" * 32))]
    rest = desk.store.read_now(lambda tx: audit_export.journals_after(tx, APPROVED, 1, 500))
    assert rest == whole.splitlines(keepends=True)[1]
    assert desk.store.read_now(lambda tx: audit_export.journals_after(tx, APPROVED, 2, 9)) == b""
