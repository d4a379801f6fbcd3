"""`standfast audit`: reading, verifying, exporting, pruning, and what each exit code says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from client.cli import audit as cli
from protocol.api_audit import (
    AuditEvent,
    AuditPage,
    AuditPrincipal,
    Pruned,
    Retention,
    RetentionRequest,
)
from tests.fakes.api_server import FakeCoordinator, Reply, Request, problem
from tests.fakes.audit_log import AuditLog
from tests.fakes.operator import Person


def event(seq: int) -> AuditEvent:
    """Return an event."""
    ada, web = AuditPrincipal("operator", "o", "ada"), AuditPrincipal("agent", "n1")
    return AuditEvent(
        f"id{seq}", "agent.approved", "info", "2026-01-01T00:00:00Z", ada, web, "said", {}, seq
    )


def test_events_are_listed_with_their_filters(lena: Person, coordinator: FakeCoordinator) -> None:
    page = AuditPage((event(2), event(1)), True, "id1")
    coordinator.on("GET", "/audit", Reply(page))
    shown = lena.types("audit list --agent web-1 --type agent.approved --limit 2")
    assert shown.code == 0
    assert shown.rows[0][:6] == ["2", "2026-01-01T00:00:00Z", "info", "agent.approved", "ada", "n1"]
    assert "--cursor id1" in shown.err
    query = coordinator.sent("GET", "/audit")[0].query
    assert query == {"agent": "web-1", "event_type": "agent.approved", "limit": "2"}
    assert lena.types("audit list --json").document()["next_cursor"] == "id1"
    assert lena.types("audit list --limit 501").code == 2


def test_the_tail_is_in_order_and_goes_on(
    lena: Person, coordinator: FakeCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(cli), "TAIL_SECONDS", 0.0)
    pages = [AuditPage((event(3), event(2)), False), AuditPage((event(4), event(3)), False)]

    def answer(_request: Request) -> Reply:
        return Reply(pages.pop(0)) if pages else problem(503, "service_unavailable", "over")

    coordinator.on("GET", "/audit", answer)
    shown = lena.types("audit tail -f")
    assert [row[0] for row in shown.rows] == ["2", "3", "4"]
    assert shown.code == 1
    coordinator.on("GET", "/audit", Reply(AuditPage((), False)))
    assert lena.types("audit tail").code == 0


def test_a_whole_log_is_0_and_a_changed_one_is_3_with_a_proof(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    log = AuditLog(4)
    log.serve(coordinator)
    shown = lena.types("audit verify --live")
    assert shown.code == 0
    assert "the log is whole" in shown.out
    log.lines[1] = msgspec.structs.replace(log.lines[1], summary="nothing")
    log.rehash_from(1)
    shown = lena.types("audit verify --live")
    assert shown.code == 3
    assert "rewritten" in shown.out
    assert "TAMPERED" in shown.out
    assert (lena.directory / "audit" / "lab.proof.json").exists()
    assert lena.types("audit verify --live --json").document()["ok"] is False


def test_after_a_restore_of_ones_own_one_begins_again(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    AuditLog(4).serve(coordinator)
    assert lena.types("audit verify --live").code == 0
    AuditLog(2).serve(coordinator)
    assert lena.types("audit verify --live").code == 3
    assert lena.types("audit accept").code == 2
    shown = lena.types("audit accept --yes")
    assert shown.code == 0
    assert "forgot 1 head" in shown.out
    assert not (lena.directory / "audit" / "lab.proof.json").exists()
    assert lena.types("audit verify --live").code == 0


def test_an_export_is_written_and_verified_offline(
    lena: Person, coordinator: FakeCoordinator, tmp_path: Path
) -> None:
    AuditLog(4).serve(coordinator)
    folder = tmp_path / "export"
    shown = lena.types(f"audit export {folder}")
    assert shown.code == 0
    assert "wrote 4 events" in shown.out
    assert lena.types(f"audit export {folder}").code == 1
    before = len(coordinator.requests)
    for path in (folder, folder / "manifest.json", folder / "events.ndjson"):
        assert lena.types(f"audit verify {path}").code == 0
    key = coordinator.identity.public.hex()
    assert lena.types(f"audit verify {folder} --coordinator-key {key}").code == 0
    assert lena.types(f"audit verify {folder} --coordinator-key {'ab' * 32}").code == 3
    assert len(coordinator.requests) == before
    assert lena.types("audit verify").code == 2
    assert lena.types(f"audit verify {folder} --live").code == 2


def test_pruning_asks_first(lena: Person, coordinator: FakeCoordinator) -> None:
    coordinator.on("DELETE", "/audit", Reply(Pruned(7)))
    line = "audit prune --before 2026-01-01T00:00:00Z"
    assert lena.types(line).code == 2
    assert coordinator.sent("DELETE", "/audit") == []
    assert "removed 7 events" in lena.types(f"{line} --yes").out
    assert coordinator.sent("DELETE", "/audit")[0].query == {"before": "2026-01-01T00:00:00Z"}
    assert lena.types("audit prune --yes").code == 2


@pytest.mark.parametrize(
    ("words", "request_", "kept", "text"),
    [
        ("set --days 7", RetentionRequest(7, "days"), Retention(7, "days"), "7 days"),
        ("disable", RetentionRequest(None, "disabled"), Retention(None, "disabled"), "for ever"),
        ("default", RetentionRequest(None, "default"), Retention(90, "default"), "90 days"),
    ],
)
def test_retention_is_shown_and_set(
    lena: Person,
    coordinator: FakeCoordinator,
    words: str,
    request_: RetentionRequest,
    kept: Retention,
    text: str,
) -> None:
    coordinator.on("PUT", "/audit/retention", Reply(kept))
    coordinator.on("GET", "/audit/retention", Reply(kept))
    assert text in lena.types(f"audit retention {words}").out
    sent = coordinator.sent("PUT", "/audit/retention")[0].body
    assert msgspec.json.decode(sent, type=RetentionRequest) == request_
    assert text in lena.types("audit retention show").out
    assert lena.types("audit retention set --days 0").code == 2
