"""Log-in over HTTP."""

from __future__ import annotations

from coordinator.config import CoordinatorConfig
from protocol import login
from tests.fakes.api_site import Site, operator_key, site


async def log_in(api: Site, name: str) -> tuple[int, dict[str, object]]:
    """Log an operator in and return status and body of the last answer."""
    key = operator_key(name)
    public = key.public.hex()
    asked = (await api.ask("POST", "/auth/challenge", {"public_key": public}, None)).json()
    statement = login.statement(
        asked["coordinator_key"], asked["challenge_id"], asked["nonce"], asked["expires_at"]
    )
    body = {"public_key": public, "signature": key.sign(statement).hex()}
    answer = await api.ask("POST", "/auth/verify", body, None)
    return answer.status_code, answer.json()


async def test_a_token_opens_the_api(api: Site) -> None:
    status, session = await log_in(api, "vik")
    assert status == 200
    header = {"authorization": f"Bearer {session['token']}"}
    assert (await api.ask("GET", "/agents", name=None, **header)).status_code == 200


async def test_a_stranger_with_a_good_signature_is_403(api: Site) -> None:
    status, body = await log_in(api, "stranger")
    assert status == 403
    assert "token" not in body


async def test_one_address_cannot_knock_without_end_and_keeps_nobody_out() -> None:
    """Wrong answers are told to wait; a right one from the same address passes all the same."""
    async with site(CoordinatorConfig(auth_requests_per_minute=3)) as api:
        wrong = {"public_key": operator_key("ada").public.hex(), "signature": "00" * 64}
        statuses = [
            (await api.ask("POST", "/auth/verify", wrong, None)).status_code for _ in range(5)
        ]
        assert statuses == [401, 401, 401, 429, 429]
        knocks = [
            (await api.ask("POST", "/auth/challenge", {"public_key": "ab" * 32}, None)).json()
            for _ in range(9)
        ]
        assert len({one["challenge_id"] for one in knocks}) == 4
        status, session = await log_in(api, "ada")
        assert status == 200
        header = {"authorization": f"Bearer {session['token']}"}
        assert (await api.ask("GET", "/agents", name=None, **header)).status_code == 200


async def test_guessed_tokens_are_told_to_wait_and_a_valid_one_beside_them_is_not() -> None:
    async with site(CoordinatorConfig(auth_requests_per_minute=3)) as api:
        statuses = [
            (
                await api.ask("GET", "/agents", name=None, authorization=f"Bearer sf_{number}")
            ).status_code
            for number in range(5)
        ]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await api.ask("GET", "/agents")).status_code == 200
        api.clock.now += 20
        answer = await api.ask("GET", "/agents", name=None, authorization="Bearer sf_x")
        assert answer.status_code == 401


async def test_a_flood_of_failed_log_ins_writes_a_few_lines() -> None:
    async with site() as api:
        wrong = {"public_key": "ab" * 32, "signature": "00" * 64}
        for _ in range(30):
            await api.ask("POST", "/auth/verify", wrong, None)
        found = (await api.ask("GET", "/audit?event_type=auth.failed")).json()["events"]
        assert len(found) == 6
