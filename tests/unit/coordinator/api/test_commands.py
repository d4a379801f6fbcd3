"""/commands: made, previewed, listed, followed, deleted."""

from __future__ import annotations

import pytest

from tests.fakes.api_site import APPROVED, Site

ALL = {"type": "all"}


async def made(api: Site, **fields: object) -> dict[str, object]:
    answer = await api.ask(
        "POST", "/commands", {"command_text": "true", "targeting": ALL, **fields}
    )
    assert answer.status_code == 201, answer.text
    data: dict[str, object] = answer.json()["data"]
    return data


async def test_a_command_is_made_shown_and_deleted(api: Site) -> None:
    """It waits for its signature; it can be deleted once it is over."""
    one = await made(api, timeout=5_000)
    assert (one["command_text"], one["timeout"], one["target_all"]) == ("true", 5_000, True)
    assert one["executions"] == {"pending": 1}
    shown = await api.ask("GET", f"/commands/{one['id']}")
    assert shown.json()["data"] == one
    run = (await api.ask("GET", f"/runs/{one['run_id']}")).json()
    assert (run["step"], run["phase"]) == ("command.run", "waiting_approval")
    assert run["action_hash"] == one["action_hash"]
    assert (await api.ask("DELETE", f"/commands/{one['id']}")).status_code == 409
    await api.ask("POST", f"/runs/{one['id']}/cancel")
    assert (await api.ask("DELETE", f"/commands/{one['id']}")).status_code == 204
    assert (await api.ask("GET", f"/commands/{one['id']}")).status_code == 404


async def test_the_same_key_makes_one_command(api: Site) -> None:
    """A client that lost the answer asks again."""
    body = {"command_text": "true", "targeting": ALL}
    first = await api.ask("POST", "/commands", body, idempotency_key="k")
    again = await api.ask("POST", "/commands", body, idempotency_key="k")
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    other = await api.ask("POST", "/commands", {**body, "timeout": 1}, idempotency_key="k")
    assert other.status_code == 409


@pytest.mark.parametrize(
    "targeting",
    [
        {"type": "all", "node_filters": {"hostname": "web*"}},
        {"type": "all", "cluster_filters": {"color": "red"}},
        {"type": "nodes"},
        {"type": "clusters"},
        {"type": "selector"},
        {"type": "selector", "selector": "a in ("},
        {"type": "some"},
    ],
)
async def test_a_targeting_that_is_not_understood_is_422(
    api: Site, targeting: dict[str, object]
) -> None:
    """An unknown filter would otherwise mean more hosts than meant."""
    for path, body in (
        ("/commands", {"command_text": "true", "targeting": targeting}),
        ("/commands/preview", {"targeting": targeting}),
    ):
        answer = await api.ask("POST", path, body)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "validation_failed"


async def test_a_preview_names_who_is_meant_and_makes_nothing(api: Site) -> None:
    """With who is away, and since when."""
    answer = await api.ask("POST", "/commands/preview", {"targeting": ALL})
    found = answer.json()["data"]
    assert [node["node_id"] for node in found["nodes"]] == [APPROVED]
    assert (found["total"], found["connected"]) == (1, 0)
    assert (await api.ask("GET", "/commands")).json()["data"] == []


async def test_lists_are_filtered_and_sorted_by_both_grammars(api: Site) -> None:
    """Wildcards, flags, ranges; `sort` and the older pair."""
    for text, timeout in (("uname -a", 1), ("true", None), ("uptime", 2)):
        await made(api, command_text=text, timeout=timeout)

    async def texts(query: str) -> list[str]:
        answer = await api.ask("GET", f"/commands?{query}")
        assert answer.status_code == 200, answer.text
        return [one["command_text"] for one in answer.json()["data"]]

    assert await texts("command_text=u*&sort=timeout") == ["uname -a", "uptime"]
    assert await texts("order_by=timeout&order_directions=desc&has_timeout=true") == [
        "uptime",
        "uname -a",
    ]
    assert await texts("timeout__gte=2") == ["uptime"]
    assert await texts("has_expired_at=true") == []
    for query in ("color=red", "sort=color", "page_size=101", "page=0"):
        assert (await api.ask("GET", f"/commands?{query}")).status_code == 400


async def test_the_output_of_a_command_that_is_over_ends(api: Site) -> None:
    """As a page and as a stream."""
    one = await made(api)
    await api.ask("POST", f"/runs/{one['id']}/cancel")
    page = await api.ask("GET", f"/commands/{one['id']}/output")
    assert page.json() == {"pieces": [], "over": True}
    stream = await api.ask("GET", f"/commands/{one['id']}/stream?after=3")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "event: output" not in stream.text
    assert (await api.ask("GET", "/commands/x/stream")).status_code == 404
