"""What stands round every request."""

from __future__ import annotations

import json

import pytest

from tests.fakes.api_site import Site

ID = "01a204c4-6a2d-7839-a6c2-a7a0961f5e21"


@pytest.mark.parametrize("path", ["/api/v1/agents", "/nothing", "/healthz"])
async def test_every_answer_has_its_request_id(api: Site, path: str) -> None:
    answer = await api.client.get(path, headers={"x-request-id": ID})
    assert answer.headers["x-request-id"] == ID
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_id_in_the_body_is_that_of_the_header(api: Site) -> None:
    answer = await api.ask(
        "GET", "/enrollment_keys", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    )
    meta = answer.json()["meta"]
    assert meta["request_id"] == answer.headers["x-request-id"]
    assert meta["trace_id"] == "a" * 32
    assert answer.headers["traceparent"].startswith("00-" + "a" * 32)


async def test_two_requests_share_nothing(api: Site) -> None:
    first, second = await api.ask("GET", "/tags"), await api.ask("GET", "/tags")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_the_log_line_names_the_path_and_no_query(
    api: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A query may hold an enrolment key, a header a token: neither is logged."""
    await api.ask("GET", "/enrollment_keys?key=very-secret")
    line = capsys.readouterr().out
    assert "/api/v1/enrollment_keys" in line
    assert "very-secret" not in line
    assert "token-of-ada" not in line


async def test_an_error_is_json_with_code_message_and_meta(api: Site) -> None:
    answer = await api.ask("GET", "/agents/none")
    body = json.loads(answer.content)
    assert body.keys() == {"error", "meta"}
    assert body["error"].keys() == {"code", "message"}
    assert body["meta"].keys() == {"request_id", "timestamp"}
