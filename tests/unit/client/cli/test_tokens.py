"""`standfast tokens`, and a program that has a token and no key."""

from __future__ import annotations

import msgspec
import pytest

from protocol.api_tokens import CreatedToken, CreateTokenRequest, Token, Tokens
from tests.fakes.api_server import FakeCoordinator, Reply, problem
from tests.fakes.operator import Person

TOKEN = "sf_" + "x" * 43
MADE = Token("ci", "automation", "2026-01-01T00:00:00Z", "lena", ("read",), "*", 4_000_000_000)


def test_a_token_is_made_with_an_end_and_printed_alone(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    created = CreatedToken(**msgspec.structs.asdict(MADE), token=TOKEN)
    coordinator.on("POST", "/tokens", Reply(created, 201))
    shown = lena.types("tokens create ci --capability read --capability state.run --role viewer")
    assert shown.out == f"{TOKEN}\n"
    (sent,) = coordinator.sent("POST", "/tokens")
    request = msgspec.json.decode(sent.body, type=CreateTokenRequest)
    assert (request.role, request.capabilities) == ("viewer", ("read", "state.run"))
    assert request.expires_at is not None
    lena.types("tokens create ci --expires never")
    request = msgspec.json.decode(
        coordinator.sent("POST", "/tokens")[1].body, type=CreateTokenRequest
    )
    assert request.expires_at is None
    assert "shown only now" in lena.types("tokens create ci", terminal=True).out
    for wrong in ("--expires yesterday", "--capability all", "--role root"):
        assert lena.types(f"tokens create ci {wrong}").code == 2
    assert len(coordinator.sent("POST", "/tokens")) == 3


def test_tokens_are_listed_and_revoked(lena: Person, coordinator: FakeCoordinator) -> None:
    whole = msgspec.structs.replace(
        MADE, name="all", capabilities=(), expires_at=None, last_used_at=1_700_000_000
    )
    coordinator.on("GET", "/tokens", Reply(Tokens((MADE, whole))))
    rows = lena.types("tokens list").rows
    assert rows[0][:5] == ["ci", "automation", "read", "*", "lena"]
    assert rows[1][2] == "all of the role"
    assert rows[0][6] == "never"
    coordinator.on("DELETE", "/tokens/ci", Reply(raw=b"", status=200))
    assert lena.types("tokens revoke ci").code == 2
    assert "revoked ci" in lena.types("tokens revoke ci --yes").out


def test_a_program_with_a_token_needs_no_key_and_logs_in_nowhere(
    lena: Person, coordinator: FakeCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lena.directory / "operator.key").unlink()
    lena.types("status")
    monkeypatch.setenv("STANDFAST_TOKEN", TOKEN)
    assert lena.types("agents list").code == 0
    assert coordinator.sent("GET", "/agents")[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert coordinator.sent("POST", "/auth/challenge") == []
    coordinator.on("GET", "/agents", problem(401, "unauthorized", "no"))
    shown = lena.types("agents list")
    assert shown.code == 3
    assert "STANDFAST_TOKEN" in shown.err
    assert TOKEN not in shown.err + shown.out
    assert coordinator.sent("POST", "/auth/challenge") == []
    assert not (lena.directory / "tokens").exists()
