"""Whatever a server or the network does, the operator reads what happened and what to do."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from client.failures import AuthError, ClientError, NotFoundError, RejectedError, UnreachableError
from client.transport import Transport
from tests.fakes.api_server import ApiServer, Reply, problem


@pytest.fixture
def server() -> Iterator[ApiServer]:
    made = ApiServer()
    with made.running():
        yield made


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, RejectedError, 1),
        (401, AuthError, 3),
        (403, AuthError, 3),
        (404, NotFoundError, 4),
        (409, RejectedError, 1),
        (413, RejectedError, 1),
        (500, RejectedError, 1),
    ],
)
def test_each_refusal_has_its_exit_code_and_its_request_id(
    server: ApiServer, status: int, kind: type[ClientError], code: int
) -> None:
    server.on("GET", "/x", problem(status, "some_code", "what was wrong"))
    transport = Transport(server.url, "")
    with pytest.raises(kind, match="what was wrong") as caught:
        transport.request("GET", "/api/v1/x")
    transport.close()
    assert caught.value.exit_code == code
    assert caught.value.code == "some_code"
    assert "req-1" in caught.value.where


def test_what_is_not_there_names_the_list_of_what_is(server: ApiServer) -> None:
    server.on("GET", "/x", problem(404, "not_found", "there is no module 'web'"))
    transport = Transport(server.url, "")
    with pytest.raises(NotFoundError) as caught:
        transport.request("GET", "/api/v1/x")
    transport.close()
    assert caught.value.next_command == "standfast modules list"


def test_something_else_than_a_coordinator_is_recognised(server: ApiServer) -> None:
    server.on("GET", "/x", Reply(raw=b"<html>proxy</html>", status=502))
    transport = Transport(server.url, "")
    with pytest.raises(UnreachableError, match="not as a coordinator does"):
        transport.request("GET", "/api/v1/x")
    transport.close()


def test_a_redirect_is_not_followed(server: ApiServer) -> None:
    """A token never travels to an address that the operator did not choose."""
    server.on("GET", "/x", Reply(status=302, headers={"location": f"{server.url}/api/v1/y"}))
    transport = Transport(server.url, "")
    with pytest.raises(UnreachableError):
        transport.request("GET", "/api/v1/x")
    transport.close()
    assert [one.path for one in server.requests] == ["/api/v1/x"]


def test_nobody_there_is_said_in_plain_words() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        transport = Transport(f"http://127.0.0.1:{closed.getsockname()[1]}", "")
        with pytest.raises(UnreachableError, match="refused") as caught:
            transport.request("GET", "/api/v1/x")
        transport.close()
    assert "standfast-coordinator" in caught.value.next_command


def test_a_cut_connection_is_an_error_and_not_an_answer(server: ApiServer) -> None:
    server.on("GET", "/x", Reply(raw=b"", headers={"content-length": "10"}))
    transport = Transport(server.url, "")
    with pytest.raises(UnreachableError):
        transport.request("GET", "/api/v1/x")
    transport.close()
