"""/operators."""

from __future__ import annotations

from protocol import ids
from tests.fakes.api_site import Site, operator_key


async def test_an_operator_comes_and_goes(api: Site) -> None:
    key = operator_key("eve").public
    body = {"public_key": key.hex(), "username": "eve"}
    added = await api.ask("POST", "/operators", body)
    assert added.status_code == 201
    path = f"/operators/{ids.operator_id(key)}"
    assert (await api.ask("GET", path)).json() == added.json()
    assert (await api.ask("POST", "/operators", body)).status_code == 409
    gone = await api.ask("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.ask("DELETE", path)).status_code == 404
    listed = [o["username"] for o in (await api.ask("GET", "/operators")).json()]
    everyone = [
        o["username"] for o in (await api.ask("GET", "/operators?include_removed=true")).json()
    ]
    assert "eve" not in listed
    assert "eve" in everyone


async def test_a_role_that_does_not_exist_is_400(api: Site) -> None:
    body = {"public_key": "ab" * 32, "username": "eve", "role": "root"}
    answer = await api.ask("POST", "/operators", body)
    assert answer.status_code == 400
    assert "role" in answer.json()["error"]["message"]


async def test_the_last_admin_stays(api: Site) -> None:
    path = f"/operators/{api.people['ada'].operator_id}"
    assert (await api.ask("DELETE", path)).status_code == 409
