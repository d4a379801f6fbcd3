"""/enrollment_keys."""

from __future__ import annotations

from coordinator.config import CoordinatorConfig
from protocol import enrolment
from tests.fakes.api_site import Site, site

KEYS = "/clusters/default/enrollment_keys"


async def make(api: Site, **settings: object) -> dict[str, str]:
    """Make a key and return its data."""
    answer = await api.ask("POST", KEYS, settings)
    assert answer.status_code == 201, answer.text
    data: dict[str, str] = answer.json()["data"]
    return data


async def test_a_key_is_made_shown_changed_and_deleted(api: Site) -> None:
    made = await make(api, name="first")
    assert enrolment.decode(made["key"]).urls == api.context.config.urls()
    path = f"/enrollment_keys/{made['id']}"
    shown = (await api.ask("GET", path)).json()["data"]
    assert shown == {**made, "key": None}
    changed = await api.ask("PATCH", path, {"name": None, "uses_remaining": 3})
    assert changed.json()["data"]["uses_remaining"] == 3
    assert (await api.ask("DELETE", path)).status_code == 204
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert (await api.ask(method, path, body)).status_code == 404


async def test_the_default_cluster_is_the_only_one(api: Site) -> None:
    answer = await api.ask("POST", "/clusters/other/enrollment_keys", {})
    assert answer.status_code == 404


async def test_a_wrong_field_is_422_and_a_wrong_body_400(api: Site) -> None:
    for body in ({"uses_remaining": 0}, {"uses_remaining": "x"}, {"nmae": "x"}):
        answer = await api.ask("POST", KEYS, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_failed")
    headers = api.bearer()
    broken = await api.client.post(f"/api/v1{KEYS}", content=b"{", headers=headers)
    assert broken.status_code == 400


async def test_the_list_is_filtered_sorted_and_paged(api: Site) -> None:
    for number in range(3):
        await make(api, name=f"web-{number}", uses_remaining=number + 1)
    last = await make(api, name="db")

    async def names(query: str) -> list[str]:
        answer = await api.ask("GET", f"/enrollment_keys?{query}")
        assert answer.status_code == 200, answer.text
        return [key["name"] for key in answer.json()["data"]]

    assert await names("name=web-*&sort=-name") == ["web-2", "web-1", "web-0"]
    assert await names("uses_remaining__gte=2&sort=name") == ["web-1", "web-2"]
    assert await names(f"key={last['key']}") == ["db"]
    assert await names("key=junk") == []
    assert await names("is_spent=true") == []
    assert await names("cluster_name__in=default,other&page_size=1&sort=name") == ["db"]
    page = (await api.ask("GET", "/enrollment_keys?page_size=3")).json()["meta"]["pagination"]
    assert (page["total_count"], page["total_pages"], page["next_page"]) == (4, 2, 2)
    for query in ("sort=secret", "page=0", "nonsense=1"):
        assert (await api.ask("GET", f"/enrollment_keys?{query}")).status_code == 400


async def test_the_same_idempotency_key_gives_the_same_string_once(api: Site) -> None:
    first = await api.ask("POST", KEYS, {}, idempotency_key="k")
    again = await api.ask("POST", KEYS, {}, idempotency_key="k")
    other = await api.ask("POST", KEYS, {"name": "x"}, idempotency_key="k")
    assert first.json()["data"] == again.json()["data"]
    assert other.status_code == 409
    listed = (await api.ask("GET", "/enrollment_keys")).json()
    assert listed["meta"]["pagination"]["total_count"] == 1


PUBLIC = f"{KEYS}/public"


async def test_a_public_key_is_403_unless_the_settings_give_it(api: Site) -> None:
    """Strangers get nothing by default, operators neither."""
    for name in (None, "ada"):
        assert (await api.ask("POST", PUBLIC, name=name)).status_code == 403


async def test_a_public_key_lets_one_host_wait() -> None:
    """It counts once, has no end, approves nobody; an address gets a few in a minute."""
    settings = CoordinatorConfig(public_enrollment_key_enabled=True, auth_requests_per_minute=2)
    async with site(settings) as api:
        made = await api.ask("POST", PUBLIC, name=None)
        assert made.status_code == 201
        data = made.json()["data"]
        assert (data["uses_remaining"], data["expires_at"]) == (1, None)
        assert data["auto_approve"] is False
        enrolment.decode(data["key"])
        statuses = [(await api.ask("POST", PUBLIC, name=None)).status_code for _ in range(2)]
        assert statuses == [201, 429]
