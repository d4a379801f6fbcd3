"""The log is signed as it grows, pruned with a signature, and kept as long as was decided."""

from __future__ import annotations

import pytest

from coordinator.domain import audit
from coordinator.store import audit as stored
from coordinator.store import events
from coordinator.store.audit import Search
from protocol import audit_heads
from protocol.api_audit import Retention, RetentionRequest
from protocol.keys import SigningKey
from tests.fakes.api_site import COORDINATOR_KEY, SEED_TIME, Desk

OWN = COORDINATOR_KEY.public.hex()


def test_pages_go_on_where_the_one_before_ended() -> None:
    desk = Desk.open()
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = desk.do(lambda tx, c=cursor: audit.page(tx, Search(), c, 3))  # type: ignore[misc]  # bound now
        seen += [event.seq for event in page.events]
        if not page.has_more:
            break
        cursor = page.events[-1].event_id
    assert seen == list(range(desk.last_event().seq, 0, -1))
    refusal = desk.refused(lambda tx: audit.page(tx, Search(), "unknown", 3))
    assert refusal.kind == "bad_request"


def test_an_operator_is_found_by_name_after_removal_too() -> None:
    desk = Desk.open()
    found = desk.do(lambda tx: audit.operator_ids(tx, "ADA"))
    assert found == ("ADA", desk.ada.operator_id)
    assert desk.do(lambda tx: audit.operator_ids(tx, "nobody")) == ("nobody",)


def test_a_head_is_signed_when_it_is_asked_for_and_something_is_new() -> None:
    desk = Desk.open()
    assert desk.do(lambda tx: audit.head_is_due(tx, COORDINATOR_KEY))
    shown = desk.do(lambda tx: audit.shown_head(tx, COORDINATOR_KEY, 2))
    assert shown.head is not None
    head = audit_heads.read(shown.head, (OWN,))
    assert (head.seq, head.hash) == (desk.last_event().seq, desk.last_event().hash.hex())
    assert shown.known is not None
    assert shown.known.hash == desk.store.read_now(lambda tx: stored.hash_at(tx, 2))
    assert not desk.do(lambda tx: audit.head_is_due(tx, COORDINATOR_KEY))
    assert desk.do(lambda tx: audit.shown_head(tx, COORDINATOR_KEY, None)).head == shown.head


def test_after_a_change_of_key_the_same_line_is_signed_again() -> None:
    desk = Desk.open()
    new = SigningKey(b"\x09" * 32)
    before = desk.do(lambda tx: audit.shown_head(tx, COORDINATOR_KEY, None)).head
    assert before is not None
    assert desk.do(lambda tx: audit.head_is_due(tx, new))
    assert desk.do(lambda tx: audit.sign_head(tx, new))
    after = desk.store.read_now(stored.head)
    assert after is not None
    held, shown = audit_heads.read(before, (OWN,)), audit_heads.read(after, (new.public.hex(),))
    assert (shown.seq, shown.hash) == (held.seq, held.hash)
    assert not desk.do(lambda tx: audit.sign_head(tx, new))


def test_a_pruned_log_verifies_across_its_statements() -> None:
    desk = Desk.open()
    who = desk.ada.principal()
    before = desk.last_event().seq
    desk.clock.now += 100
    first = desk.do(lambda tx: audit.prune(tx, who, desk.clock.now, COORDINATOR_KEY))
    assert first.deleted == before
    told = desk.last_event()
    assert (told.type, told.actor.name, told.severity) == ("audit.pruned", "ada", "warning")
    assert desk.store.read_now(events.broken_at) is None
    again = desk.do(lambda tx: audit.prune(tx, who, SEED_TIME, COORDINATOR_KEY))
    assert again.deleted == 0
    assert desk.last_event().seq == told.seq
    desk.clock.now += 100
    desk.do(lambda tx: audit.prune(tx, who, desk.clock.now, COORDINATOR_KEY))
    one, two = desk.store.read_now(stored.tombstones)
    assert audit_heads.read(two, (OWN,)).previous == audit_heads.digest(one)
    assert told.data["tombstone"] == audit_heads.digest(one)
    assert desk.store.read_now(events.broken_at) is None
    assert desk.last_event().seq == told.seq + 1


def test_a_time_to_come_prunes_nothing() -> None:
    desk = Desk.open()
    who, before = desk.ada.principal(), desk.last_event().seq
    refusal = desk.refused(
        lambda tx: audit.prune_asked(tx, who, desk.clock.now + 1, COORDINATOR_KEY)
    )
    assert "future" in refusal.message
    assert desk.last_event().seq == before


@pytest.mark.parametrize(
    ("request_", "kept"),
    [
        (RetentionRequest(7), Retention(7, "days")),
        (RetentionRequest(7, "days"), Retention(7, "days")),
        (RetentionRequest(None), Retention(None, "disabled")),
        (RetentionRequest(None, "disabled"), Retention(None, "disabled")),
        (RetentionRequest(None, "default"), Retention(90, "default")),
    ],
)
def test_retention_is_days_for_ever_or_as_configured(
    request_: RetentionRequest, kept: Retention
) -> None:
    desk = Desk.open()
    who = desk.ada.principal()
    assert desk.do(lambda tx: audit.set_retention(tx, who, request_, 90)) == kept
    assert desk.do(lambda tx: audit.retention(tx, 90)) == kept
    assert desk.do(lambda tx: audit.retention(tx, 0)).retention_days == (
        kept.retention_days if kept.mode == "days" else None
    )


@pytest.mark.parametrize(
    "request_",
    [
        RetentionRequest(0),
        RetentionRequest(-1),
        RetentionRequest(10**9),
        RetentionRequest(3, "default"),
        RetentionRequest(3, "disabled"),
        RetentionRequest(None, "days"),
    ],
)
def test_a_retention_that_makes_no_sense_changes_nothing(request_: RetentionRequest) -> None:
    desk = Desk.open()
    seq = desk.last_event().seq
    who = desk.ada.principal()
    refusal = desk.refused(lambda tx: audit.set_retention(tx, who, request_, 90))
    assert refusal.kind == "bad_request"
    assert desk.do(lambda tx: audit.retention(tx, 90)) == Retention(90, "default")
    assert desk.last_event().seq == seq


def test_a_change_of_retention_is_told_once() -> None:
    desk = Desk.open()
    who = desk.ada.principal()
    for _ in range(2):
        desk.do(lambda tx: audit.set_retention(tx, who, RetentionRequest(7), 90))
    told = desk.last_event()
    assert told.type == "audit.retention_changed"
    assert "7 days; it was 90 days" in told.summary


def test_what_is_too_old_goes_and_for_ever_means_for_ever() -> None:
    desk = Desk.open()
    assert not desk.do(lambda tx: audit.old_is_there(tx, 1))
    desk.clock.now += 2 * audit.DAY
    assert desk.do(lambda tx: audit.old_is_there(tx, 1))
    assert not desk.do(lambda tx: audit.old_is_there(tx, 0))
    assert desk.do(lambda tx: audit.prune_old(tx, COORDINATOR_KEY, 0)).deleted == 0
    assert desk.do(lambda tx: audit.prune_old(tx, COORDINATOR_KEY, 1)).deleted > 0
    assert desk.last_event().actor.type == "coordinator"
