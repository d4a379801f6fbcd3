"""What a request may bring."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from coordinator.api import limits
from coordinator.app import framework
from protocol.limits import MAX_BODY
from tests.fakes.api_site import Site


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (None, None),
        (b"0", None),
        (str(MAX_BODY).encode(), None),
        (str(MAX_BODY + 1).encode(), "payload_too_large"),
        (b"9" * 5_000, "payload_too_large"),
        (b"-1", "bad_request"),
        (b"1e3", "bad_request"),
        (b"", "bad_request"),
    ],
)
def test_a_declared_size_is_judged_as_it_stands(length: bytes | None, expected: str | None) -> None:
    assert limits.refused_length(length) == expected


async def test_a_body_over_the_limit_is_refused_before_it_is_read(api: Site) -> None:
    """Not one byte of it is asked for, and the connection closes."""
    asked: list[int] = []

    async def body() -> AsyncGenerator[bytes]:  # noqa: ASYNC900 - what httpx takes as a body
        asked.append(1)
        yield b"x"

    headers = {"content-length": str(MAX_BODY + 1)}
    answer = await api.client.post("/api/v1/auth/verify", content=body(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "payload_too_large"
    assert answer.headers["connection"] == "close"
    assert asked == []


async def test_an_unknown_query_parameter_is_400_and_names_the_known(api: Site) -> None:
    answer = await api.ask("GET", "/agents?stauts=pending")
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["details"] == {"stauts": ["unknown; known here: filter, status"]}


async def test_operations_without_parameters_take_none(api: Site) -> None:
    answer = await api.ask("POST", "/auth/challenge?x=1", {"public_key": "a"}, name=None)
    assert answer.status_code == 400
    assert "unknown query parameter 'x'" in answer.json()["error"]["message"]


def test_every_documented_query_parameter_is_accepted() -> None:
    """The check and the document read the same declarations."""
    app = framework()
    paths = app.openapi_schema.to_schema()["paths"]
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in handler.http_methods:
                item = paths.get(route.path_format, {}).get(str(method).lower())
                if item is not None:
                    documented = {
                        p["name"] for p in item.get("parameters", ()) if p["in"] == "query"
                    }
                    assert documented == limits.query_names(handler), route.path
