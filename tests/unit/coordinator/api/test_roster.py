"""/roster."""

from __future__ import annotations

from tests.fakes.api_site import Site, roster_envelope


async def test_the_next_version_is_brought_and_read(api: Site) -> None:
    held = (await api.ask("GET", "/roster")).json()
    envelope = roster_envelope({"ada": "admin"}, 2, held["digest"])
    brought = await api.ask("POST", "/roster", {"envelope": envelope})
    assert (brought.status_code, brought.json()["version"]) == (201, 2)
    after = (await api.ask("GET", "/roster?after=1")).json()
    assert (after["version"], len(after["chain"])) == (2, 1)
    assert (await api.ask("GET", "/agents", name="vik")).status_code == 401


async def test_a_roster_that_does_not_follow_says_why(api: Site) -> None:
    answer = await api.ask("POST", "/roster", {"envelope": roster_envelope({"ada": "admin"})})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "roster_fork"


async def test_a_negative_version_is_400(api: Site) -> None:
    assert (await api.ask("GET", "/roster?after=-1")).status_code == 400
