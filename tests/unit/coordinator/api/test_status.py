"""GET /status."""

from __future__ import annotations

from tests.fakes.api_site import COORDINATOR_KEY, Site


async def test_a_stranger_sees_the_key_and_no_counts(api: Site) -> None:
    body = (await api.ask("GET", "/status", name=None)).json()
    assert body["public_key"] == COORDINATOR_KEY.public.hex()
    assert (body["status"], body["version"], body["agents"]) == ("ok", "", {})


async def test_an_operator_sees_more(api: Site) -> None:
    body = (await api.ask("GET", "/status", name="vik")).json()
    assert body["agents"]["approved"] == 1
    assert body["roster_version"] == 1
