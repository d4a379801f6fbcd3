"""The application as a whole."""

from __future__ import annotations

from coordinator.app import framework
from tests.fakes.api_site import Site, site


def document() -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    """Return the API document."""
    found: dict[str, dict[str, dict[str, dict[str, object]]]] = (
        framework().openapi_schema.to_schema()
    )
    return found


def test_every_operation_is_described_with_tags_summary_and_errors() -> None:
    """And each operation id stands once."""
    wrong: list[str] = []
    ids: list[object] = []
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            ids.append(operation["operationId"])
            responses = operation["responses"]
            assert isinstance(responses, dict)
            complete = (
                operation.get("summary")
                and operation.get("description")
                and operation.get("tags")
                and (
                    "health" in str(operation["tags"]) or any(s.startswith("4") for s in responses)
                )
            )
            if not complete:
                wrong.append(f"{method} {path}")
    assert wrong == []
    assert len(set(ids)) == len(ids)


def test_the_document_says_how_to_authenticate() -> None:
    schema = framework().openapi_schema.to_schema()
    assert schema["openapi"].startswith("3.1")
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert schema["security"] == [{"bearer": []}]


async def test_two_applications_share_nothing() -> None:
    async with site() as first, site() as second:
        await first.ask("PUT", f"/agents/{_host(first)}/tags", {"tags": {"a": "b"}})
        assert (await second.ask("GET", "/tags")).json() == {"tags": {}}


def _host(api: Site) -> str:
    from tests.fakes.api_site import APPROVED

    assert api.people
    return APPROVED
