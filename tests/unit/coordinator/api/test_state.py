"""Plan, apply, drift and state of one host."""

from __future__ import annotations

import hashlib

import msgspec
import trio

from coordinator.domain import host_reports, offers
from coordinator.domain.host_reports import Host
from coordinator.store.database import Tx
from protocol.ids import DEFAULT_SCOPE
from protocol.messages import Finished
from protocol.reports import DriftRecord
from tests.fakes.api_site import APPROVED, Site
from tests.fakes.fleet import chunks

HOST = f"/agents/{APPROVED}"


async def test_a_plan_that_is_not_waited_for_is_202_with_its_run(api: Site) -> None:
    answer = await api.ask("POST", f"{HOST}/plan", {"modules": []}, prefer="respond-async")
    assert answer.status_code == 202
    assert answer.json() == {"run_id": answer.headers["x-run-id"], "phase": "queued"}


async def test_a_plan_is_waited_for_until_its_run_is_over(api: Site) -> None:
    """The answer comes when the run ends, not when the wait is over."""
    answers: list[int] = []

    async def plan() -> None:
        answer = await api.ask("POST", f"{HOST}/plan", {"modules": []}, prefer="wait=60")
        answers.append(answer.status_code)
        assert answer.json()["phase"] == "cancelled"

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(plan)
            runs: list[dict[str, str]] = []
            while not runs:
                runs = (await api.ask("GET", "/runs")).json()["runs"]
            assert answers == []
            await api.ask("POST", f"/runs/{runs[0]['run_id']}/cancel")
    assert answers == [202]


async def test_drift_of_a_host_with_nothing_applied_is_a_defined_error(api: Site) -> None:
    """It is a conflict with a code of its own, not `in_sync`."""
    look = DriftRecord("d1", APPROVED, "manual", 1.0, "in_sync")
    data = msgspec.json.encode(look)
    host = Host(APPROVED, DEFAULT_SCOPE)

    def done(tx: Tx) -> None:
        (offer,) = offers.take(tx, APPROVED).offers
        for chunk in chunks(data, "drift"):
            host_reports.chunk(tx, host, chunk)
        name = hashlib.sha256(data).hexdigest()
        body = Finished(offer.run_id, offer.fence, "succeeded", name)
        host_reports.finished(tx, host, body)

    async def report() -> None:
        since = api.context.hub.version()
        if not (await api.ask("GET", "/runs")).json()["runs"]:
            await api.context.hub.wait(f"node:{APPROVED}", since=since)
        await api.context.store.write(done)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(report)
            answer = await api.ask("POST", f"{HOST}/drift")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_snapshot")


async def test_the_same_idempotency_key_starts_one_run(api: Site) -> None:
    headers = {"prefer": "respond-async", "idempotency_key": "k"}
    first = await api.ask("POST", f"{HOST}/drift", **headers)
    again = await api.ask("POST", f"{HOST}/drift", **headers)
    assert first.headers["x-run-id"] == again.headers["x-run-id"]
    assert (await api.ask("GET", "/runs")).json()["total"] == 1


async def test_an_apply_without_a_plan_makes_one_first(api: Site) -> None:
    answer = await api.ask("POST", f"{HOST}/apply", {"modules": []})
    assert (answer.status_code, answer.json()["phase"]) == (202, "planning")
    assert (await api.ask("GET", "/runs")).json()["total"] == 2


async def test_a_decision_that_does_not_hold_leaves_no_run_behind(api: Site) -> None:
    envelope = {"payloadType": "x", "payload": "", "signatures": []}
    body = {"modules": [], "decision": envelope}
    answer = await api.ask("POST", f"{HOST}/apply", body)
    assert 400 <= answer.status_code < 500
    assert (await api.ask("GET", "/runs")).json()["total"] == 0


async def test_a_module_that_is_not_there_is_said(api: Site) -> None:
    answer = await api.ask("POST", f"{HOST}/plan", {"modules": ["ghost"]})
    assert 400 <= answer.status_code < 500
    assert "ghost" in answer.json()["error"]["message"]


async def test_a_host_without_history_has_empty_lists(api: Site) -> None:
    assert (await api.ask("GET", f"{HOST}/drift")).json() == {"records": []}
    latest = await api.ask("GET", f"{HOST}/drift/latest")
    assert (latest.status_code, latest.content) == (200, b"null")
    assert (await api.ask("GET", f"{HOST}/state/operations")).json()["total"] == 0
    assert (await api.ask("GET", "/state/operations")).json()["total"] == 0
    assert (await api.ask("GET", f"{HOST}/state")).json()["applied"] == []
    assert (await api.ask("GET", f"{HOST}/why")).json()["name"] == "web-1"


async def test_what_is_not_there_is_404(api: Site) -> None:
    for path in (
        "/agents/x/drift",
        "/agents/x/drift/latest",
        "/drift/x",
        "/agents/x/state",
        "/agents/x/state/operations",
        "/state/operations/x",
        f"{HOST}/state/operations/x/output",
        "/agents/x/why",
    ):
        assert (await api.ask("GET", path)).status_code == 404, path
    for verb in ("plan", "apply"):
        answer = await api.ask("POST", f"/agents/x/{verb}", {"modules": []})
        assert answer.status_code == 404


async def test_a_page_has_its_limits(api: Site) -> None:
    for query in ("limit=501", "limit=0", "status=odd"):
        assert (await api.ask("GET", f"{HOST}/drift?{query}")).status_code == 400
