"""The API against an attacker: over real sockets, at a real process."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Generator

import httpx
import pytest

from coordinator.api import permissions
from protocol import ids, login
from protocol.keys import SigningKey
from protocol.limits import MAX_BODY
from tests.fakes.api_site import operator_key, roster_envelope
from tests.fakes.live_coordinator import LiveCoordinator, running

pytestmark = [pytest.mark.hostile, pytest.mark.integration]


@pytest.fixture(name="live", scope="module")
def _live(tmp_path_factory: pytest.TempPathFactory) -> Generator[LiveCoordinator]:
    with running(tmp_path_factory.mktemp("live")) as live:
        yield live


def challenge(live: LiveCoordinator, key: SigningKey) -> dict[str, str]:
    """Ask for a challenge."""
    answer = live.http.post("/auth/challenge", json={"public_key": key.public.hex()})
    assert answer.status_code == 200
    return dict(answer.json())


def answer_to(
    live: LiveCoordinator, key: SigningKey, asked: dict[str, str], statement: bytes
) -> httpx.Response:
    """Answer a challenge with a signature over some statement."""
    body = {
        "public_key": key.public.hex(),
        "signature": key.sign(statement).hex(),
        "challenge_id": asked["challenge_id"],
    }
    return live.http.post("/auth/verify", json=body)


def statement(asked: dict[str, str], coordinator_key: str | None = None) -> bytes:
    """Return what an honest client signs."""
    return login.statement(
        coordinator_key or asked["coordinator_key"],
        asked["challenge_id"],
        asked["nonce"],
        int(asked["expires_at"]),
    )


def test_a_log_in_cannot_be_played_again(live: LiveCoordinator) -> None:
    key = operator_key("ada")
    asked = challenge(live, key)
    assert answer_to(live, key, asked, statement(asked)).status_code == 200
    assert answer_to(live, key, asked, statement(asked)).status_code == 401


def test_a_challenge_relayed_from_another_coordinator_is_of_no_use(live: LiveCoordinator) -> None:
    """An evil coordinator passes our nonce on; the honest client signs the evil one's key."""
    key = operator_key("ada")
    asked = challenge(live, key)
    evil = SigningKey(b"E" * 32).public.hex()
    assert answer_to(live, key, asked, statement(asked, evil)).status_code == 401


def test_a_signature_over_the_bare_nonce_is_no_log_in(live: LiveCoordinator) -> None:
    key = operator_key("ada")
    asked = challenge(live, key)
    assert answer_to(live, key, asked, bytes.fromhex(asked["nonce"])).status_code == 401


def test_a_challenge_is_for_its_own_key(live: LiveCoordinator) -> None:
    ada, oli = operator_key("ada"), operator_key("oli")
    asked = challenge(live, ada)
    assert answer_to(live, oli, asked, statement(asked)).status_code == 401


def test_a_stranger_learns_nothing_from_a_challenge(live: LiveCoordinator) -> None:
    """Known and unknown keys get the same answer; only a proof tells "no operator" (403)."""
    stranger = SigningKey(b"S" * 32)
    ours, theirs = challenge(live, operator_key("ada")), challenge(live, stranger)
    assert ours.keys() == theirs.keys()
    assert {k: len(str(v)) for k, v in ours.items()} == {k: len(str(v)) for k, v in theirs.items()}
    wrong = [
        answer_to(live, operator_key("ada"), ours, b"junk"),
        answer_to(live, stranger, theirs, b"junk"),
    ]
    assert [answer.status_code for answer in wrong] == [401, 401]
    assert wrong[0].json()["error"] == wrong[1].json()["error"]
    proven = challenge(live, stranger)
    assert answer_to(live, stranger, proven, statement(proven)).status_code == 403


def test_the_token_of_a_removed_operator_ends_at_once(live: LiveCoordinator) -> None:
    key = operator_key("eve")
    body = {"public_key": key.public.hex(), "username": "eve", "role": "admin"}
    assert live.http.post("/operators", json=body, headers=live.bearer()).status_code == 201
    token = live.bearer("eve")
    assert live.http.get("/agents", headers=token).status_code == 200
    operator_id = ids.operator_id(key.public)
    gone = live.http.delete(f"/operators/{operator_id}", headers=live.bearer())
    assert gone.status_code == 204
    assert live.http.get("/agents", headers=token).status_code == 401
    assert live.log_in("eve").status_code == 403


def test_every_operation_refuses_who_has_no_session(live: LiveCoordinator) -> None:
    for (method, path), rule in permissions.TABLE.items():
        if not isinstance(rule, str):
            answer = live.root.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize(
    "path",
    [
        "/artifacts/..%2f..%2fcoordinator.key",
        "/artifacts/%2e%2e/%2e%2e/coordinator.key",
        "/modules/..%2f..%2fetc%2fpasswd",
        "/agents/..%2f..%2f..%2fetc%2fshadow",
        "/artifacts/" + "a" * 63 + "%00",
        "/runs/%0d%0ax-evil:%201",
        "/agents/" + "a" * 20_000,
        "/drift/%ff%fe",
    ],
)
def test_a_path_in_an_id_leads_nowhere(live: LiveCoordinator, path: str) -> None:
    answer = live.http.get(path, headers=live.bearer())
    assert answer.status_code in {400, 404, 414}
    assert "x-evil" not in answer.headers
    assert "root:" not in answer.text


def raw(live: LiveCoordinator, data: bytes) -> bytes:
    """Send bytes as they are and return everything that comes back until the connection ends."""
    host, port = live.url.removeprefix("https://").split(":")
    context = ssl.create_default_context(cafile=str(live.data / "tls.crt"))
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(data)
        received = b""
        while chunk := secure.recv(65_536):
            received += chunk
        return received


@pytest.mark.parametrize(
    "value",
    [
        b"evil\tset-cookie: a=b",
        b"01a204c4-6a2d-7839-a6c2-a7a0961f5e21 ",
        b"01a204c4-6a2d-7839-a6c2-a7a0961f5e2",
        b"<script>alert(1)</script>",
        b"\xc3\xa9" * 18,
        b"x" * 4_000,
    ],
)
def test_a_request_id_is_echoed_only_if_it_is_a_uuid(live: LiveCoordinator, value: bytes) -> None:
    request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: %b\r\n\r\n"
    received = raw(live, request % value)
    head = received.partition(b"\r\n\r\n")[0].lower()
    # Whitespace round a value is no part of it (RFC 9110, section 5.5).
    assert value.strip() == b"01a204c4-6a2d-7839-a6c2-a7a0961f5e21" or value not in head
    assert b"set-cookie" not in head
    assert head.count(b"x-request-id") == 1


def test_a_huge_declared_body_is_answered_at_once_and_the_connection_closes(
    live: LiveCoordinator,
) -> None:
    """Not a byte of the body is sent, and the answer is there all the same."""
    head = b"POST /api/v1/auth/verify HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    received = raw(live, head % (MAX_BODY + 1))
    assert received.startswith(b"HTTP/1.1 413 ")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["error"]["code"] == "payload_too_large"


def test_a_chunked_body_is_not_read_without_end(live: LiveCoordinator) -> None:
    head = b"POST /api/v1/auth/verify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    received = raw(live, head + chunk * (MAX_BODY // 65_536 + 1))
    assert received.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"\x00" * 1_000,
    ],
)
def test_bytes_that_are_no_request_do_no_harm(live: LiveCoordinator, data: bytes) -> None:
    received = raw(live, data)
    assert received == b"" or b" 400 " in received.split(b"\r\n")[0]
    assert live.root.get("/healthz").status_code == 200


def test_an_old_roster_cannot_be_brought_back(live: LiveCoordinator) -> None:
    """A roster that does not follow the one held is refused, whoever brings it."""
    forged = roster_envelope({"ada": "admin", "vik": "admin"}, signer="vik")
    for envelope in (forged, roster_envelope({"ada": "admin"}, version=9, previous="0" * 64)):
        answer = live.http.post(
            "/roster",
            headers=live.bearer(),
            content=json.dumps({"envelope": _plain(envelope)}),
        )
        assert answer.status_code in {400, 409}
        assert answer.json()["error"]["code"].startswith("roster_")


def _plain(envelope: object) -> object:
    import msgspec

    return msgspec.to_builtins(envelope)


def test_no_secret_is_in_the_log_or_the_database(live: LiveCoordinator) -> None:
    """Tokens, enrolment keys and the idempotency key of one appear nowhere on disk."""
    token = live.bearer()["authorization"].removeprefix("Bearer ")
    headers = {**live.bearer(), "idempotency-key": "only-the-client-knows-this"}
    made = live.http.post("/clusters/default/enrollment_keys", headers=headers, json={})
    text = made.json()["data"]["key"]
    live.http.get("/enrollment_keys", params={"key": text}, headers=live.bearer())
    seed = (live.data / "coordinator.key").read_text().strip()
    log = (live.data.parent / "log").read_bytes() + (live.data.parent / "stderr").read_bytes()
    stored = b"".join(path.read_bytes() for path in live.data.glob("coordinator.db*"))
    for secret in (token, text, text[-60:], seed, headers["idempotency-key"]):
        assert secret.encode() not in log
        assert secret.encode() not in stored
