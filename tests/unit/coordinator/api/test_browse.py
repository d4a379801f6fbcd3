"""The document as a page."""

from __future__ import annotations

from coordinator.api import browse
from tests.fakes.api_site import Site


async def test_the_page_names_every_operation_and_runs_no_script(api: Site) -> None:
    page = await api.client.get("/schema")
    document = (await api.client.get("/schema/openapi.json")).json()
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    for path, item in document["paths"].items():
        for method in item:
            assert f"<code>{method.upper()} {path}</code>" in page.text


def test_text_of_the_document_is_escaped() -> None:
    page = browse.page({"info": {"title": "<b>", "version": "&"}, "paths": {}})
    assert "&lt;b&gt; &amp;" in page


def test_a_document_with_holes_makes_a_page() -> None:
    holes = {"paths": {"/x": {"get": {"tags": [], "parameters": None, "responses": {"200": None}}}}}
    assert "GET /x" in browse.page(holes)
