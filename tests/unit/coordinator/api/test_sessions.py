"""Sessions over HTTP."""

from __future__ import annotations

from tests.fakes.api_site import Site


async def test_anybody_learns_how_to_log_in_and_who_they_are(api: Site) -> None:
    for base in ("/api/v1", "/v1"):
        config = await api.client.get(f"{base}/auth/config")
        assert config.json()["login_methods"] == ["key"]
        nobody = (await api.client.get(f"{base}/auth/me")).json()
        assert (nobody["authenticated"], nobody["method"]) == (False, "none")
        ada = (await api.client.get(f"{base}/auth/me", headers=api.bearer())).json()
        assert (ada["method"], ada["username"], ada["role"]) == ("session", "ada", "admin")


async def test_who_logs_out_is_out_at_once(api: Site) -> None:
    answer = await api.client.post("/v1/auth/logout", headers=api.bearer("vik"))
    assert answer.json() == {"status": "ok"}
    assert (await api.ask("GET", "/agents", name="vik")).status_code == 401
    assert (await api.ask("GET", "/agents")).status_code == 200


async def test_sessions_are_seen_and_ended(api: Site) -> None:
    mine = (await api.ask("GET", "/auth/sessions", name="oli")).json()["items"]
    assert [(one["username"], one["current"]) for one in mine] == [("oli", True)]
    assert (await api.ask("GET", "/auth/sessions?everybody=true", name="oli")).status_code == 403
    found = (await api.ask("GET", "/auth/sessions?everybody=true")).json()["items"]
    his = next(one for one in found if one["username"] == "vik")
    path = f"/auth/sessions/{his['session_id']}"
    assert (await api.ask("DELETE", path, name="oli")).status_code == 404
    assert (await api.ask("DELETE", path)).status_code == 204
    assert (await api.ask("GET", "/agents", name="vik")).status_code == 401
    whole = f"/auth/sessions?operator_id={mine[0]['operator_id']}"
    assert (await api.ask("DELETE", whole, name="otto")).status_code == 403
    assert (await api.ask("DELETE", whole)).json() == {"ended": 1}
    assert (await api.ask("GET", "/agents", name="oli")).status_code == 401
