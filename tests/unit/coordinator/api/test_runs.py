"""/runs."""

from __future__ import annotations

from tests.fakes.api_site import APPROVED, PENDING, Site


async def test_a_run_is_started_listed_shown_and_cancelled(api: Site) -> None:
    started = await api.ask("POST", "/runs", {"step": "state.plan", "nodes": [APPROVED]})
    assert started.status_code == 202
    run_id = started.json()["run_id"]
    listed = (await api.ask("GET", f"/runs?node_id={APPROVED}&phase=queued")).json()
    assert ([run["run_id"] for run in listed["runs"]], listed["total"]) == ([run_id], 1)
    assert (await api.ask("GET", f"/runs/{run_id}")).json()["step"] == "state.plan"
    cancelled = await api.ask("POST", f"/runs/{run_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["phase"]) == (202, "cancelled")
    assert (await api.ask("POST", f"/runs/{run_id}/cancel")).status_code == 409


async def test_a_selector_is_resolved_to_approved_hosts_now(api: Site) -> None:
    body = {"step": "state.drift", "selector": "*"}
    steps = (await api.ask("POST", "/runs", body)).json()["steps"]
    assert [step["node_id"] for step in steps] == [APPROVED]


async def test_a_run_on_a_host_that_is_not_approved_is_refused(api: Site) -> None:
    answer = await api.ask("POST", "/runs", {"step": "state.plan", "nodes": [PENDING]})
    assert 400 <= answer.status_code < 500


async def test_the_stream_of_a_finished_run_ends_and_resumes(api: Site) -> None:
    started = await api.ask("POST", "/runs", {"step": "state.plan", "nodes": [APPROVED]})
    path = f"/runs/{started.json()['run_id']}/events"
    await api.ask("POST", path.replace("events", "cancel"))
    whole = await api.ask("GET", path)
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert "id: 1\nevent: CancelRequested\ndata: {" in whole.text
    for rest in (
        await api.ask("GET", f"{path}?after=1"),
        await api.ask("GET", path, last_event_id="1"),
    ):
        assert "id: 1\n" not in rest.text


async def test_what_is_not_there_is_404(api: Site) -> None:
    envelope = {"payloadType": "x", "payload": "", "signatures": []}
    for method, path, body in (
        ("GET", "/runs/x", None),
        ("GET", "/runs/x/events", None),
        ("POST", "/runs/x/cancel", None),
        ("POST", "/runs/x/decisions", {"envelope": envelope}),
    ):
        assert (await api.ask(method, path, body)).status_code == 404, path
