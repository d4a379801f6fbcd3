"""API tokens: made with bounds, shown once, and never more than their maker."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import auth, operators, tokens
from coordinator.domain.actor import Actor
from coordinator.store.database import Tx
from protocol.api_tokens import TOKEN_PREFIX, CreateTokenRequest
from protocol.roster import Role
from tests.fakes.api_site import Desk

ASKED = CreateTokenRequest("ci", "automation", ("read", "read", "state.run"), "default/*")


def actor(desk: Desk, token: str) -> Actor | None:
    """Return whom a token stands for."""
    return desk.store.read_now(lambda tx: auth.actor_of(tx, token))


def test_a_token_is_shown_once_and_stands_for_its_maker_within_its_grant() -> None:
    desk = Desk.open()
    made = desk.do(lambda tx: tokens.create(tx, desk.ada, ASKED))
    assert made.token.startswith(TOKEN_PREFIX)
    assert len(made.token) == len(TOKEN_PREFIX) + 43
    assert made.capabilities == ("read", "state.run")
    assert desk.last_event().type == "auth.token_created"
    assert made.token not in repr(desk.last_event())
    found = actor(desk, made.token)
    assert found is not None
    assert (found.operator_id, found.role, found.method) == (
        desk.ada.operator_id, "automation", "token",
    )  # fmt: skip
    assert found.grant is not None
    assert found.grant.scope == "default/*"
    listed = desk.do(tokens.listing)
    assert made.token not in repr(listed)
    assert [one.name for one in listed.items] == ["ci"]


def test_a_revoked_token_is_over_at_once_and_its_name_is_free() -> None:
    desk = Desk.open()
    made = desk.do(lambda tx: tokens.create(tx, desk.ada, ASKED))
    assert desk.refused(lambda tx: tokens.create(tx, desk.ada, ASKED)).kind == "conflict"
    assert desk.do(lambda tx: tokens.revoke(tx, desk.ada, "ci")) is None
    assert actor(desk, made.token) is None
    assert desk.last_event().type == "auth.token_revoked"
    assert desk.refused(lambda tx: tokens.revoke(tx, desk.ada, "ci")).kind == "not_found"
    again = desk.do(lambda tx: tokens.create(tx, desk.ada, ASKED))
    assert again.token != made.token


def test_a_token_ends_with_its_time() -> None:
    desk = Desk.open()
    ends = int(desk.clock.now) + 60
    request = msgspec.structs.replace(ASKED, expires_at=ends)
    made = desk.do(lambda tx: tokens.create(tx, desk.ada, request))
    desk.clock.now = ends - 1
    assert actor(desk, made.token) is not None
    desk.clock.now = float(ends)
    assert actor(desk, made.token) is None


@pytest.mark.parametrize(
    ("asked", "maker", "effective"),
    [("admin", "oli", "operator"), ("viewer", "oli", "viewer"), ("operator", "vik", "viewer"),
     ("reader", "ada", "viewer"), ("writer", "ada", "operator"), ("admin", "ada", "admin")],
)  # fmt: skip
def test_a_token_may_never_more_than_its_maker_may_now(
    asked: Role, maker: str, effective: Role
) -> None:
    desk = Desk.open()
    request = CreateTokenRequest("t", asked)
    made = desk.do(lambda tx: tokens.create(tx, desk.people[maker], request))
    found = actor(desk, made.token)
    assert found is not None
    assert found.role == effective


def test_a_token_falls_with_its_maker() -> None:
    desk = Desk.open()
    oli = desk.people["oli"]
    made = desk.do(lambda tx: tokens.create(tx, oli, ASKED))

    def remove(tx: Tx) -> None:
        assert operators.remove(tx, desk.ada, oli.operator_id) is None

    desk.do(remove)
    assert actor(desk, made.token) is None
    assert desk.do(tokens.listing).items == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"scope": ""}, "scope"),
        ({"scope": "a/b"}, "scope"),
        ({"scope": "*/b"}, "scope"),
        ({"expires_at": 0}, "expires_at"),
        ({"expires_at": -1}, "expires_at"),
        ({"expires_at": 10**18}, "expires_at"),
    ],
)
def test_what_breaks_a_rule_is_named(change: dict[str, object], field: str) -> None:
    desk = Desk.open()
    request = msgspec.structs.replace(ASKED, **change)
    refusal = desk.refused(lambda tx: tokens.create(tx, desk.ada, request))
    assert refusal.kind == "bad_request"
    assert refusal.details is not None
    assert set(refusal.details) == {field}


def test_there_are_not_endlessly_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(tokens), "MAX_TOKENS", 1)
    desk = Desk.open()
    desk.do(lambda tx: tokens.create(tx, desk.ada, ASKED))
    other = msgspec.structs.replace(ASKED, name="other")
    assert desk.refused(lambda tx: tokens.create(tx, desk.ada, other)).kind == "conflict"
