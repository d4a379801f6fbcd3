"""Every way to change a log is found, and named by what was done."""

from __future__ import annotations

import msgspec
import pytest

from protocol import audit_heads
from protocol.audit_chain import MAX_FINDINGS, Checker, Finding
from tests.fakes.audit_log import AuditLog


def check(log: AuditLog, *heads: audit_heads.Head) -> Checker:
    """Check a log against what it says was pruned, and some remembered heads."""
    start = audit_heads.decode(log.tombstones[-1]) if log.tombstones else None
    checker = Checker(start, {one.seq for one in heads})
    for line in log.lines:
        checker.feed(msgspec.json.encode(line))
    for head in heads:
        checker.compare(head, "somebody")
    return checker


def codes(checker: Checker) -> list[tuple[str, int]]:
    """Return what was found, short."""
    return [(one.code, one.seq) for one in checker.findings]


def test_an_untouched_log_is_whole() -> None:
    log = AuditLog(5)
    head = audit_heads.decode(log.head())
    log.add("one more")
    checker = check(log, head)
    assert codes(checker) == []
    assert (checker.lines, checker.last) == (6, 6)


def test_an_edited_line_is_found_whether_its_hash_was_made_again_or_not() -> None:
    log = AuditLog(5)
    log.lines[2] = msgspec.structs.replace(log.lines[2], summary="nothing happened")
    assert codes(check(log)) == [("edited", 3)]
    log.lines[2] = msgspec.structs.replace(log.lines[2], hash=log.lines[2].own_hash())
    assert codes(check(log)) == [("relinked", 4)]


def test_a_chain_that_was_made_again_to_its_end_is_not_the_one_that_was_signed() -> None:
    log = AuditLog(5)
    head = audit_heads.decode(log.head())
    log.lines[2] = msgspec.structs.replace(log.lines[2], summary="nothing happened")
    log.rehash_from(2)
    assert codes(check(log)) == []
    assert codes(check(log, head)) == [("rewritten", 5)]


def test_deleted_lines_are_missing() -> None:
    log = AuditLog(6)
    del log.lines[2:4]
    assert codes(check(log)) == [("missing", 3)]
    del log.lines[:2]
    assert codes(check(log)) == [("beginning_lost", 1)]


def test_reordered_lines_are_found() -> None:
    log = AuditLog(4)
    log.lines[1], log.lines[2] = log.lines[2], log.lines[1]
    assert ("reordered", 2) in codes(check(log))


def test_a_log_that_was_cut_ends_before_what_was_signed() -> None:
    log = AuditLog(5)
    head = audit_heads.decode(log.head())
    del log.lines[3:]
    assert codes(check(log, head)) == [("truncated", 5)]


def test_a_pruned_log_begins_where_the_statement_says() -> None:
    log = AuditLog(6)
    old, new = audit_heads.decode(log.head()), None
    log.prune(4)
    new = audit_heads.decode(log.head())
    checker = check(log, old, new)
    assert codes(checker) == []
    assert checker.named == {audit_heads.digest(log.tombstones[-1])}
    early = msgspec.structs.replace(old, seq=2)
    assert checker.compare(early, "somebody") is False
    exact = audit_heads.decode(log.tombstones[-1])
    assert checker.compare(exact, "somebody") is True
    assert codes(checker) == []
    checker.compare(msgspec.structs.replace(exact, hash="ee" * 32), "somebody")
    assert codes(checker) == [("rewritten", 4)]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"seq":1}', b"\xff", b"[" * 5_000])
def test_what_is_no_line_is_said_and_the_rest_is_read(raw: bytes) -> None:
    log = AuditLog(1)
    checker = Checker(None)
    checker.feed(raw)
    checker.feed(msgspec.json.encode(log.lines[0]))
    assert codes(checker) == [("unreadable", 1)]
    assert checker.last == 1


def test_a_ruined_log_gives_a_bounded_list() -> None:
    checker = Checker(None)
    for _ in range(3 * MAX_FINDINGS):
        checker.feed(b"x")
    checker.add(Finding("missing", 1, "one more"))
    assert len(checker.findings) == MAX_FINDINGS


def test_a_line_that_names_no_statement_names_none() -> None:
    log = AuditLog()
    log.add("odd", "audit.pruned", "[]")
    assert check(log).named == {""}
