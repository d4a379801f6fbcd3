"""The event log and artifacts."""

from __future__ import annotations

import hashlib
import itertools

from coordinator.store import artifacts
from coordinator.store.database import Tx
from protocol.ids import DEFAULT_SCOPE
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


async def test_an_artifact_is_seen_only_through_a_reference(api: Site) -> None:
    data = b"\x00output"
    digest = hashlib.sha256(data).hexdigest()

    def put(tx: Tx) -> None:
        artifacts.put(tx, data, "plan")

    def refer(tx: Tx) -> None:
        artifacts.refer(tx, digest, DEFAULT_SCOPE, "run")

    api.context.store.write_now(put)
    assert (await api.ask("GET", f"/artifacts/{digest}")).status_code == 404
    api.context.store.write_now(refer)
    found = await api.ask("GET", f"/artifacts/{digest}")
    assert (found.status_code, found.content) == (200, data)
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"] == "attachment"


async def test_a_name_that_is_no_digest_is_400(api: Site) -> None:
    assert (await api.ask("GET", "/artifacts/abc")).status_code == 400
