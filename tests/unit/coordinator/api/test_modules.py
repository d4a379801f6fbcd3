"""/modules."""

from __future__ import annotations

from tests.fakes.api_site import Site
from tests.unit.coordinator.domain.test_modules import TEXT, signed


async def test_a_module_is_uploaded_listed_shown_and_deleted(api: Site) -> None:
    body = {"name": "web", "content": TEXT, "envelope": signed(TEXT)}
    made = await api.ask("POST", "/modules", body)
    assert made.status_code == 201
    assert made.json()["signed_by"] == [api.people["ada"].operator_id]
    assert (await api.ask("GET", "/modules")).json() == [made.json()]
    assert (await api.ask("GET", "/modules/web")).json() == {**made.json(), "content": TEXT}
    assert (await api.ask("DELETE", "/modules/web")).status_code == 204
    assert (await api.ask("GET", "/modules/web")).status_code == 404


async def test_problems_are_details_with_line_numbers(api: Site) -> None:
    body = {"name": "web", "content": TEXT.replace("path", "paht")}
    answer = await api.ask("POST", "/modules", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "module_invalid")
    assert any(line.startswith("web:6:") for line in error["details"]["content"])
