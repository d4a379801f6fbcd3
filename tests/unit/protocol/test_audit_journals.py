"""A host's journal in an export proves itself: key, chain, signatures, and what the host saw."""

from __future__ import annotations

import msgspec
import pytest

from protocol.audit_journals import JournalLine, Journals, Seen, note_head, noted_head
from protocol.messages import Audit
from tests.fakes.audit_log import AuditLog


def read(lines: list[JournalLine]) -> Journals:
    """Read exported entries."""
    found = Journals()
    for one in lines:
        found.feed(msgspec.json.encode(one))
    return found


def two_hosts() -> tuple[AuditLog, list[str]]:
    """Return a log with the journals of two hosts."""
    log = AuditLog(3)
    nodes = [log.host_notes(seed, (2, "ab" * 32), (3, "cd" * 32)) for seed in (1, 2)]
    return log, nodes


def test_honest_journals_hold_and_tell_what_the_hosts_were_shown() -> None:
    log, nodes = two_hosts()
    found = read(log.journals)
    assert found.findings == []
    assert (found.entries, found.nodes) == (6, set(nodes))
    assert found.seen[:2] == [(nodes[0], Seen(2, "ab" * 32)), (nodes[0], Seen(3, "cd" * 32))]


def test_a_journal_may_begin_late_but_has_no_hole() -> None:
    log, _ = two_hosts()
    assert read(log.journals[1:]).findings == []
    found = read([log.journals[0], log.journals[2], *log.journals[3:]])
    assert "does not follow" in found.findings[0].message


@pytest.mark.parametrize(
    "change",
    [
        {"at": 9.0},
        {"body_digest": "00" * 32},
        {"kind": "drift"},
        {"body": "aGVsbG8="},
        {"sig": "AAAA"},
        {"sig": "?"},
        {"public_key": "ab" * 32},
        {"public_key": ""},
        {"prev": "11" * 32},
        {"seq": 9},
        {"at": -1.0},
    ],
)
def test_no_field_of_an_entry_can_be_changed(change: dict[str, object]) -> None:
    log, _ = two_hosts()
    log.journals[1] = msgspec.structs.replace(log.journals[1], **change)
    found = read(log.journals)
    assert found.findings
    assert {one.code for one in found.findings} == {"journal_broken"}


def test_the_entries_of_a_host_stand_together() -> None:
    log, _ = two_hosts()
    found = read([*log.journals[:2], *log.journals[3:], log.journals[2]])
    assert "two places" in found.findings[0].message


def test_what_is_no_entry_is_said() -> None:
    found = Journals()
    found.feed(b"{")
    assert len(found.findings) == 1


@pytest.mark.parametrize(
    "message", ["", "7", f"x {'ab' * 32}", f"7 {'AB' * 32}", "7 7", f"{'9' * 16} {'ab' * 32}"]
)
def test_words_that_are_no_head_are_none(message: str) -> None:
    assert noted_head(Audit("audit.head", message)) is None
    assert noted_head(note_head(7, "ab" * 32)) == Seen(7, "ab" * 32)
    assert noted_head(Audit("other", f"7 {'ab' * 32}")) is None


def test_a_host_that_came_back_with_a_new_key_is_named_and_not_accused() -> None:
    """Its id commits to the first key; one chain has one key all the same."""
    log, nodes = two_hosts()
    moved = [msgspec.structs.replace(one, node_id=nodes[0]) for one in log.journals[3:]]
    found = read(moved)
    assert found.findings == []
    assert found.recovered == {nodes[0]}
    mixed = read([*moved[:2], msgspec.structs.replace(log.journals[2], seq=3)])
    assert "two keys" in mixed.findings[0].message
