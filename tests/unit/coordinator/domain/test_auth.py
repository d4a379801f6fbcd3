"""Log-in."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import auth, operators
from coordinator.store import challenges
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
    found = desk.do(lambda tx: auth.actor_of(tx, session.token))
    assert found is not None
    assert (found.operator_id, found.role, found.method, found.grant) == (
        desk.ada.operator_id, "admin", "key", None,
    )  # fmt: skip
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


def test_a_wrong_answer_is_in_nobodys_way() -> None:
    """A stranger who knows an operator's public key cannot use up the operator's challenge."""
    desk, key = Desk.open(), operator_key("ada")
    asked = ask(desk, key)
    for challenge_id in (asked.challenge_id, None):
        wrong = api.VerifyRequest(key.public.hex(), "00" * 64, challenge_id)
        refusal = desk.refused(lambda tx, r=wrong: auth.verify(tx, r, OWN, LIFETIME))  # type: ignore[misc]  # bound now
        assert refusal.kind == "unauthorized"
    for _ in range(3):
        ask(desk, key)
    assert desk.do(lambda tx: auth.verify(tx, answer(key, asked), OWN, LIFETIME)).token


def test_an_answer_is_for_this_coordinator_this_key_and_this_challenge_alone() -> None:
    """What was signed for another coordinator, or with another key, opens nothing."""
    desk, key = Desk.open(), operator_key("ada")
    asked = ask(desk, key)
    elsewhere = answer(key, msgspec.structs.replace(asked, coordinator_key="ab" * 32))
    later = answer(key, msgspec.structs.replace(asked, expires_at=asked.expires_at + 1))
    other = answer(key, msgspec.structs.replace(asked, challenge_id="01M3250V00HCZVGFVTNW8MW21R"))
    stranger = api.VerifyRequest(
        operator_key("oli").public.hex(),
        answer(operator_key("oli"), asked).signature,
        asked.challenge_id,
    )
    for request in (elsewhere, later, other, stranger):
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


@pytest.mark.parametrize("crowded", [True, False])
def test_a_flood_of_strangers_stores_little_and_locks_no_operator_out(
    monkeypatch: pytest.MonkeyPatch, crowded: bool
) -> None:
    """Known or not, a key gets the same challenge again; an operator's can be answered, once."""
    monkeypatch.setitem(vars(auth), "MAX_WAITING", 3)
    desk = Desk.open()
    for number in range(0 if crowded else 3):
        ask(desk, SigningKey(bytes([number + 1]) * 32))
    before = desk.store.read_now(challenges.waiting)

    def knock(key: SigningKey) -> api.ChallengeResponse:
        request = api.ChallengeRequest(key.public.hex())
        return desk.do(lambda tx: auth.challenge(tx, request, OWN, crowded=crowded))

    strangers = [SigningKey(bytes([number + 100]) * 32) for number in range(20)]
    for stranger in strangers:
        assert knock(stranger) == knock(stranger)
    assert desk.store.read_now(challenges.waiting) == before
    ada = operator_key("ada")
    asked = knock(ada)
    assert asked == knock(ada)
    assert desk.clock.now + 30 <= asked.expires_at <= desk.clock.now + CHALLENGE_SECONDS
    request = answer(ada, asked)
    assert desk.do(lambda tx: auth.verify(tx, request, OWN, LIFETIME)).token
    again = knock(ada)
    assert again.challenge_id != asked.challenge_id
    assert desk.refused(lambda tx: auth.verify(tx, request, OWN, LIFETIME)).kind == "unauthorized"
    assert desk.do(lambda tx: auth.verify(tx, answer(ada, again), OWN, LIFETIME)).token
    desk.clock.now += 30
    assert knock(strangers[0]).challenge_id != again.challenge_id


def test_a_failed_log_in_is_told_with_where_it_came_from() -> None:
    desk, key = Desk.open(), operator_key("ada")
    desk.do(lambda tx: auth.failed(tx, key.public.hex(), "192.0.2.7"))
    told = desk.last_event()
    assert (told.type, told.severity, told.target.name) == ("auth.failed", "warning", "ada")
    assert "192.0.2.7" in told.summary
    desk.do(lambda tx: auth.failed(tx, "ab" * 32, "192.0.2.7"))
    assert "unknown key" in desk.last_event().summary
    seq = desk.last_event().seq
    desk.do(lambda tx: auth.failed(tx, "nonsense", "192.0.2.7"))
    assert desk.last_event().seq == seq


def test_the_use_of_a_session_is_written_down_once_a_minute() -> None:
    desk = Desk.open()
    found = desk.do(lambda tx: auth.actor_of(tx, "token-of-ada"))
    assert found is not None
    assert not found.stale
    desk.clock.now += auth.TOUCH_SECONDS
    found = desk.do(lambda tx: auth.actor_of(tx, "token-of-ada"))
    assert found is not None
    assert found.stale
    desk.do(lambda tx: auth.touch(tx, "token-of-ada"))
    found = desk.do(lambda tx: auth.actor_of(tx, "token-of-ada"))
    assert found is not None
    assert not found.stale
