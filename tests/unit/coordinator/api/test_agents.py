"""/agents."""

from __future__ import annotations

import pytest

from tests.fakes.api_site import APPROVED, PENDING, Site


async def test_hosts_are_a_bare_list_with_filters(api: Site) -> None:
    everyone = (await api.ask("GET", "/agents")).json()
    assert [agent["node_id"] for agent in everyone] == [PENDING, APPROVED]
    pending = (await api.ask("GET", "/agents?status=pending&filter=!role")).json()
    assert [agent["node_id"] for agent in pending] == [PENDING]


@pytest.mark.parametrize("query", ["status=asleep", "filter=a%20in%20(", "filter="])
async def test_a_filter_that_is_none_is_400(api: Site, query: str) -> None:
    assert (await api.ask("GET", f"/agents?{query}")).status_code == 400


async def test_a_host_is_approved_only_at_the_version_that_was_seen(api: Site) -> None:
    """`etag` of a look goes into `If-Match` of the decision."""
    path, body = f"/agents/{PENDING}", {"status": "approved", "name": "db-1"}
    tag = (await api.ask("GET", path)).headers["etag"]
    assert (await api.ask("POST", path, body, if_match='"1"')).status_code == 409
    assert (await api.ask("POST", path, body, if_match="junk")).status_code == 400
    done = await api.ask("POST", path, body, if_match=tag)
    assert (done.status_code, done.json()["status"]) == (200, "approved")
    assert (await api.ask("POST", path, body, if_match=tag)).status_code == 409


async def test_only_a_rejected_host_is_deleted(api: Site) -> None:
    path = f"/agents/{APPROVED}"
    assert (await api.ask("DELETE", path)).status_code == 409
    assert (await api.ask("POST", path, {"status": "rejected"})).status_code == 200
    assert (await api.ask("DELETE", path)).status_code == 204
    assert (await api.ask("GET", path)).status_code == 404


async def test_attributes_are_the_map_alone(api: Site) -> None:
    assert (await api.ask("GET", f"/agents/{APPROVED}/attributes")).json() == {}
    assert (await api.ask("GET", "/agents/none/attributes")).status_code == 404
