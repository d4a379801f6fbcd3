"""The audit family over HTTP: the published shape, and evidence."""

from __future__ import annotations

import msgspec
import pytest

from protocol import audit_heads
from protocol.api_audit import AuditHead
from protocol.audit_chain import Checker
from tests.fakes.api_site import APPROVED, COORDINATOR_KEY, Site


async def test_the_log_is_paged_newest_first_in_the_published_shape(api: Site) -> None:
    first = (await api.ask("GET", "/audit?limit=3")).json()
    assert set(first["events"][0]) >= {
        "id", "event_type", "severity", "timestamp", "actor", "target", "summary", "metadata",
    }  # fmt: skip
    assert first["has_more"] is True
    assert first["next_cursor"] == first["events"][-1]["id"]
    rest = (await api.ask("GET", f"/audit?limit=500&cursor={first['next_cursor']}")).json()
    assert rest["has_more"] is False
    assert rest["next_cursor"] is None
    seqs = [one["seq"] for one in first["events"] + rest["events"]]
    assert seqs == list(range(len(seqs), 0, -1))


async def test_the_log_is_filtered(api: Site) -> None:
    for query in (f"agent={APPROVED}", "agent=web-1&category=agent"):
        found = (await api.ask("GET", f"/audit?{query}")).json()["events"]
        assert {one["event_type"] for one in found} >= {"agent.approved"}, query
    found = (await api.ask("GET", "/audit?operator=vik")).json()["events"]
    assert [one["event_type"] for one in found] == ["operator.added"]
    assert (await api.ask("GET", "/audit?after=2100-01-01T00:00:00Z")).json()["events"] == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "cursor=x", "after=yesterday", "before=2026-01-01", "cursr=1",
     "after=2026-01-01T00:00:00"],
)  # fmt: skip
async def test_a_filter_that_is_not_understood_is_400(api: Site, query: str) -> None:
    assert (await api.ask("GET", f"/audit?{query}")).status_code == 400


async def test_a_prune_leaves_a_log_that_verifies(api: Site) -> None:
    assert (await api.ask("DELETE", "/audit")).status_code == 400
    assert (await api.ask("DELETE", "/audit?before=soon")).status_code == 400
    api.clock.now += 60
    await api.ask("POST", "/tokens", {"name": "ci"})
    done = (await api.ask("DELETE", "/audit?before=2026-09-21T14:13:50Z")).json()
    assert done["deleted"] > 3
    shown = msgspec.convert((await api.ask("GET", "/audit/head")).json(), AuditHead)
    assert shown.head is not None
    trusted = (COORDINATOR_KEY.public.hex(),)
    start = audit_heads.read(shown.tombstones[-1], trusted)
    assert start.removed == done["deleted"]
    head = audit_heads.read(shown.head, trusted)
    checker = Checker(start, {head.seq})
    lines = (await api.ask("GET", "/audit/export")).content
    for raw in lines.splitlines():
        checker.feed(raw)
    assert checker.compare(head, "the coordinator")
    assert checker.findings == []
    assert audit_heads.digest(shown.tombstones[-1]) in checker.named


async def test_lines_are_exported_in_parts(api: Site) -> None:
    whole = (await api.ask("GET", "/audit/export?limit=5000")).content.splitlines()
    part = (await api.ask("GET", "/audit/export?after=2&limit=2")).content.splitlines()
    assert part == whole[2:4]
    assert (await api.ask("GET", "/audit/export?after=999")).content == b""
    assert (await api.ask("GET", "/audit/journals")).content == b""


async def test_retention_is_read_by_all_and_set_by_admins(api: Site) -> None:
    shown = await api.ask("GET", "/audit/retention", name="vik")
    assert shown.json() == {"retention_days": 90, "mode": "default"}
    for body in ({"retention_days": 0}, {"days": 3}, {"retention_days": -1}):
        assert (await api.ask("PUT", "/audit/retention", body)).status_code == 400
    assert (await api.ask("PUT", "/audit/retention", {"retention_days": 7})).json() == {
        "retention_days": 7,
        "mode": "days",
    }
    assert (await api.ask("PUT", "/audit/retention", {}, "oli")).status_code == 403
