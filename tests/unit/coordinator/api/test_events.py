"""The event log."""

from __future__ import annotations

import itertools

from tests.fakes.api_site import APPROVED, Site


async def test_pages_follow_each_other_and_the_chain_holds(api: Site) -> None:
    """Each line's `prev_hash` is the hash of the line before, over page borders too."""
    after, lines = 0, []
    while page := (await api.ask("GET", f"/events?after={after}&limit=3")).json()["events"]:
        lines += page
        after = page[-1]["seq"]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert all(b["prev_hash"] == a["hash"] for a, b in itertools.pairwise(lines))


async def test_events_of_one_object_are_found(api: Site) -> None:
    page = (await api.ask("GET", f"/events?target={APPROVED}")).json()
    assert [event["type"] for event in page["events"]] == ["agent.registered", "agent.approved"]
