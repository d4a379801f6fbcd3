"""Calls travel as the published paths say, with a token and, for a POST, an idempotency key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client.api import Api
from client.failures import UnreachableError
from client.transport import Transport
from protocol import api
from tests.fakes.api_server import ApiServer, Reply


@pytest.fixture
def server() -> Iterator[ApiServer]:
    made = ApiServer()
    with made.running():
        yield made


@pytest.fixture
def calls(server: ApiServer) -> Iterator[Api]:
    transport = Transport(server.url, "")
    yield Api(transport, lambda fresh: "new" if fresh else "old")
    transport.close()


def test_each_post_carries_its_own_idempotency_key(server: ApiServer, calls: Api) -> None:
    server.on("POST", "/runs/r1/cancel", Reply({}))
    for _ in range(2):
        calls.cancel("r1")
    sent = server.sent("POST", "/runs/r1/cancel")
    assert len({one.headers["idempotency-key"] for one in sent}) == 2
    assert {one.headers["authorization"] for one in sent} == {"Bearer old"}


def test_an_id_cannot_leave_its_place_in_the_path(server: ApiServer, calls: Api) -> None:
    server.fallback = lambda _request: Reply({"operation_id": "x"})
    with pytest.raises(UnreachableError):
        calls.operation("../agents?x=1")
    assert server.requests[0].path == "/api/v1/state/operations/..%2Fagents%3Fx%3D1"


def test_an_answer_of_another_shape_is_an_error_that_says_so(server: ApiServer, calls: Api) -> None:
    server.on("GET", "/modules", Reply({"modules": []}))
    with pytest.raises(UnreachableError, match="does not fit this client"):
        calls.modules()


@pytest.mark.parametrize("wrap", [lambda runs: runs, lambda runs: {"runs": runs}])
def test_runs_come_as_a_list_or_a_page(server: ApiServer, calls: Api, wrap: object) -> None:
    run = api.Run("r1", "state.plan", "completed", "s", "t", "lena", (), ())
    assert callable(wrap)
    server.on("GET", "/runs", Reply(wrap([run])))
    assert calls.runs() == [run]
