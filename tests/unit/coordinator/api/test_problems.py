"""Errors as they leave the coordinator."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coordinator.api import problems
from coordinator.domain.refusals import RefusalKind
from tests.fakes.api_site import Site

ROOT = Path(problems.__file__).parents[2]


async def test_an_unknown_route_has_the_envelope(api: Site) -> None:
    answer = await api.ask("GET", "/nothing")
    body = answer.json()
    assert answer.status_code == 404
    assert body["error"]["code"] == "not_found"
    assert body["meta"]["request_id"] == answer.headers["x-request-id"]


async def test_a_wrong_method_says_which_are_right(api: Site) -> None:
    answer = await api.ask("PATCH", "/agents/x/tags/y")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "PUT, DELETE"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "byte 1"),
        (b'{"public_key": nope}', "byte 19"),
        (b'"\xff"', "position"),
        (b"[" * 50_000, "nested too deeply"),
        (b"", "a JSON body is required"),
        (b"[]", "Expected `object`"),
        (b'{"public_key": 1}', "Expected `str`"),
        (b'{"public_key": "a", "x": 1}', "unknown field `x`"),
    ],
)
async def test_a_malformed_body_is_400_and_says_where(
    api: Site, body: bytes, expected: str
) -> None:
    answer = await api.client.post("/api/v1/auth/challenge", content=body)
    assert answer.status_code == 400
    assert expected in answer.json()["error"]["message"]


async def test_a_store_that_is_closed_is_503_and_not_a_bug(api: Site) -> None:
    async def closed(_: object) -> None:
        raise problems.StoreClosedError("closed")

    api.context.store.read = closed  # type: ignore[method-assign,assignment]  # the fault to inject
    answer = await api.ask("GET", "/agents")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "service_unavailable"
    assert "retry-after" in answer.headers


async def test_a_bug_is_500_and_its_text_stays_inside(
    api: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(_: object) -> None:
        raise ZeroDivisionError("the private detail")

    api.context.store.read = broken  # type: ignore[method-assign,assignment]  # the fault to inject
    answer = await api.ask("GET", "/agents")
    assert answer.status_code == 500
    assert "private detail" not in answer.text
    assert "private detail" in capsys.readouterr().out


def test_every_kind_of_refusal_has_a_number() -> None:
    kinds = RefusalKind.__args__  # type: ignore[attr-defined]  # a Literal has them
    assert set(kinds) <= set(problems.STATUS)


def test_no_other_file_of_the_coordinator_holds_an_error_number() -> None:
    number = re.compile(r"(?<![\w.])[45]\d\d(?![\w.]|_\d)")
    places = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "coordinator" / "api").glob("*.py")
        if path.name != "problems.py"
        for line in path.read_text().splitlines()
        if "status" in line and number.search(line)
    ]
    assert places == []
