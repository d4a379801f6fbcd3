"""/command_executions: listed with all published filters, cancelled by both methods, deleted."""

from __future__ import annotations

import pytest

from tests.fakes.api_site import APPROVED, Site

PUBLISHED = {
    "id", "command_id", "node_id", "cluster_name", "command_text", "timeout", "expires_at",
    "status", "exit_code", "output", "target_all", "sent_at", "completed_at", "cancelled_at",
    "inserted_at", "updated_at",
}  # fmt: skip


async def made(api: Site) -> dict[str, object]:
    """The one execution of a new command."""
    body = {"command_text": "true", "targeting": {"type": "nodes", "node_ids": [APPROVED]}}
    command = (await api.ask("POST", "/commands", body)).json()["data"]
    listed = await api.ask("GET", f"/command_executions?command_id={command['id']}")
    (one,) = listed.json()["data"]
    assert isinstance(one, dict)
    return one


async def test_an_execution_is_shown_with_all_published_fields(api: Site) -> None:
    """Ours stand beside them."""
    one = await made(api)
    assert set(one) >= PUBLISHED
    shown = (await api.ask("GET", f"/command_executions/{one['id']}")).json()["data"]
    assert shown == one
    assert (shown["status"], shown["node_id"], shown["exit_code"]) == ("pending", APPROVED, None)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_has_not_begun_is_cancelled_at_once(api: Site, method: str) -> None:
    """200, and then it is over: a second cancel is a conflict, and it can be deleted."""
    one = await made(api)
    path = f"/command_executions/{one['id']}"
    assert (await api.ask("DELETE", path)).status_code == 409
    answer = await api.ask(method, f"{path}/cancel")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "cancelled")
    assert (await api.ask(method, f"{path}/cancel")).status_code == 409
    assert (await api.ask("DELETE", path)).status_code == 204
    assert (await api.ask("GET", path)).status_code == 404


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status__in=pending,sent", 1),
        ("status=pending", 1),
        ("status__in=completed", 0),
        (f"node_id__in={APPROVED}", 1),
        ("node_id=other", 0),
        ("cluster_name=def*", 1),
        ("has_cluster=true&target_all=false", 1),
        ("has_output=true", 0),
        ("output=*x*", 0),
        ("exit_code__gte=0", 0),
        ("inserted_at__gte=2000-01-01", 1),
        ("sent_at__gte=2000-01-01", 0),
        ("sort=-sent_at,exit_code", 1),
    ],
)
async def test_filters_do_what_is_published(api: Site, query: str, count: int) -> None:
    """Older and newer names alike."""
    await made(api)
    answer = await api.ask("GET", f"/command_executions?{query}")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"]) == count


@pytest.mark.parametrize("query", ["status=lost", "status__in=pending,lost", "color=red"])
async def test_what_is_no_filter_is_refused(api: Site, query: str) -> None:
    """A status that does not exist would silently match nothing."""
    assert (await api.ask("GET", f"/command_executions?{query}")).status_code == 400
