"""/tags and a host's tags."""

from __future__ import annotations

from tests.fakes.api_site import APPROVED, Site

PATH = f"/agents/{APPROVED}/tags"


async def test_tags_are_put_listed_and_removed(api: Site) -> None:
    assert (await api.ask("PUT", PATH, {"tags": {"role": "web"}})).status_code == 204
    assert (await api.ask("PUT", f"{PATH}/env", {"value": "prod"})).status_code == 204
    assert (await api.ask("GET", "/tags")).json() == {"tags": {"env": ["prod"], "role": ["web"]}}
    assert (await api.ask("DELETE", f"{PATH}/env")).status_code == 204
    assert (await api.ask("DELETE", f"{PATH}/env")).status_code == 404


async def test_a_wrong_tag_is_400_and_an_old_version_409(api: Site) -> None:
    assert (await api.ask("PUT", f"{PATH}/no%20key", {"value": "x"})).status_code == 400
    assert (await api.ask("PUT", PATH, {"tags": {}}, if_match='"1"')).status_code == 409
    assert (await api.ask("PUT", "/agents/none/tags", {"tags": {}})).status_code == 404
