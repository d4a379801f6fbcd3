"""Log-in."""

from __future__ import annotations

import pytest

from coordinator.domain import auth, operators
from protocol import api, ids, login
from protocol.keys import SigningKey
from protocol.limits import CHALLENGE_SECONDS
from tests.fakes.api_site import COORDINATOR_KEY, Desk, operator_key

OWN = COORDINATOR_KEY.public.hex()
LIFETIME = 3_600


def ask(desk: Desk, key: SigningKey) -> api.ChallengeResponse:
    """Ask for a challenge."""
    request = api.ChallengeRequest(key.public.hex())
    return desk.do(lambda tx: auth.challenge(tx, request, OWN))


def answer(
    key: SigningKey, asked: api.ChallengeResponse, *, with_id: bool = True
) -> api.VerifyRequest:
    """Return an honest answer."""
    statement = login.statement(
        asked.coordinator_key, asked.challenge_id, asked.nonce, asked.expires_at
    )
    signature = key.sign(statement).hex()
    return api.VerifyRequest(key.public.hex(), signature, asked.challenge_id if with_id else None)


@pytest.mark.parametrize("with_id", [True, False])
def test_an_honest_answer_starts_a_session_of_an_hour(with_id: bool) -> None:
    desk, key = Desk.open(), operator_key("ada")
    request = answer(key, ask(desk, key), with_id=with_id)
    session = desk.do(lambda tx: auth.verify(tx, request, OWN, LIFETIME))
    assert session.expires_at == int(desk.clock.now) + LIFETIME
    assert desk.do(lambda tx: auth.actor_of(tx, session.token)) == desk.ada
    desk.clock.now = session.expires_at
    assert desk.do(lambda tx: auth.actor_of(tx, session.token)) is None


def test_a_challenge_is_answered_once_and_within_its_minute() -> None:
    desk, key = Desk.open(), operator_key("ada")
    request = answer(key, ask(desk, key))
    desk.do(lambda tx: auth.verify(tx, request, OWN, LIFETIME))
    assert desk.refused(lambda tx: auth.verify(tx, request, OWN, LIFETIME)).kind == "unauthorized"
    late = answer(key, ask(desk, key))
    desk.clock.now += CHALLENGE_SECONDS
    assert desk.refused(lambda tx: auth.verify(tx, late, OWN, LIFETIME)).kind == "unauthorized"


def test_a_wrong_answer_uses_the_challenge_up() -> None:
    desk, key = Desk.open(), operator_key("ada")
    asked = ask(desk, key)
    wrong = api.VerifyRequest(key.public.hex(), "00" * 64, asked.challenge_id)
    right = answer(key, asked)
    for request in (wrong, right):
        refusal = desk.refused(lambda tx, r=request: auth.verify(tx, r, OWN, LIFETIME))  # type: ignore[misc]  # bound now
        assert refusal.kind == "unauthorized"


def test_a_removed_operator_with_a_good_signature_is_told_so() -> None:
    desk, key = Desk.open(), operator_key("oli")
    desk.do(lambda tx: operators.remove(tx, desk.ada, ids.operator_id(key.public)))
    request = answer(key, ask(desk, key))
    assert desk.refused(lambda tx: auth.verify(tx, request, OWN, LIFETIME)).kind == "forbidden"


@pytest.mark.parametrize("public_key", ["", "zz", "AB" * 32, "ab" * 31, "ab" * 33])
def test_a_malformed_key_gets_no_challenge(public_key: str) -> None:
    desk = Desk.open()
    request = api.ChallengeRequest(public_key)
    assert desk.refused(lambda tx: auth.challenge(tx, request, OWN)).kind == "bad_request"


@pytest.mark.parametrize("signature", ["", "zz" * 64, "00" * 63, "00" * 65])
def test_a_malformed_signature_is_a_bad_request(signature: str) -> None:
    desk, key = Desk.open(), operator_key("ada")
    request = api.VerifyRequest(key.public.hex(), signature)
    assert desk.refused(lambda tx: auth.verify(tx, request, OWN, LIFETIME)).kind == "bad_request"


def test_a_flood_of_strangers_locks_no_operator_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(auth), "MAX_STRANGERS", 3)
    desk = Desk.open()
    for number in range(3):
        ask(desk, SigningKey(bytes([number + 1]) * 32))
    request = api.ChallengeRequest("ab" * 32)
    refusal = desk.refused(lambda tx: auth.challenge(tx, request, OWN))
    assert refusal.kind == "too_many_requests"
    assert ask(desk, operator_key("ada")).nonce
    desk.clock.now += CHALLENGE_SECONDS + 1
    assert ask(desk, SigningKey(b"9" * 32)).nonce
