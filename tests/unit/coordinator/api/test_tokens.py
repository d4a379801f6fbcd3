"""Tokens over HTTP, under both published paths."""

from __future__ import annotations

import pytest

from tests.fakes.api_site import Site


def bearer(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("base", ["/api/v1", "/v1"])
async def test_a_token_is_made_used_listed_and_revoked(api: Site, base: str) -> None:
    made = await api.client.post(
        f"{base}/tokens", json={"name": "ci", "role": "reader"}, headers=api.bearer()
    )
    assert made.status_code == 201
    token = made.json()["token"]
    assert (await api.client.get("/api/v1/agents", headers=bearer(token))).status_code == 200
    me = (await api.client.get("/v1/auth/me", headers=bearer(token))).json()
    assert (me["method"], me["name"], me["username"], me["role"]) == (
        "bearer", "ci", "ada", "viewer",
    )  # fmt: skip
    listed = await api.client.get(f"{base}/tokens", headers=api.bearer())
    assert token not in listed.text
    (item,) = listed.json()["items"]
    assert (item["name"], item["last_used_at"]) == ("ci", int(api.clock.now))
    again = await api.client.post(f"{base}/tokens", json={"name": "ci"}, headers=api.bearer())
    assert again.status_code == 409
    gone = await api.client.delete(f"{base}/tokens/ci", headers=api.bearer())
    assert gone.status_code == 204
    assert (await api.client.get("/api/v1/agents", headers=bearer(token))).status_code == 401


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_no_token_can_be_widened(api: Site, method: str) -> None:
    """What a token may is decided once; there is no way to change it."""
    await api.ask("POST", "/tokens", {"name": "ci", "capabilities": ["read"]})
    answer = await api.ask(method, "/tokens/ci", {"capabilities": []})
    assert answer.status_code == 405
    (item,) = (await api.ask("GET", "/tokens")).json()["items"]
    assert item["capabilities"] == ["read"]


@pytest.mark.parametrize(
    "body",
    [{}, {"name": 1}, {"name": "ci", "role": "root"}, {"name": "ci", "capabilities": ["all"]},
     {"name": "ci", "capability": ["read"]}, {"name": "ci", "expires_at": "never"}],
)  # fmt: skip
async def test_a_request_that_is_not_understood_makes_nothing(
    api: Site, body: dict[str, object]
) -> None:
    assert (await api.ask("POST", "/tokens", body)).status_code == 400
    assert (await api.ask("GET", "/tokens")).json() == {"items": []}


async def test_the_same_key_gives_the_same_token_and_no_second(api: Site) -> None:
    first, second = [
        (await api.ask("POST", "/tokens", {"name": "ci"}, idempotency_key="k")).json()["token"]
        for _ in range(2)
    ]
    assert first == second
