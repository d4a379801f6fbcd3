"""Who may use the API."""

from __future__ import annotations

import pytest

from coordinator.domain import operators
from coordinator.store import sessions
from coordinator.store.database import Store
from protocol import api, ids
from tests.fakes.api_site import SEED_TIME, Desk, operator_key


def request(name: str, role: str = "operator", key: str | None = None) -> api.AddOperatorRequest:
    """Return a request to add an operator."""
    public = key if key is not None else operator_key(name).public.hex()
    return api.AddOperatorRequest(public, name, role)  # type: ignore[arg-type]  # test data


def identity(name: str) -> str:
    """Return a test operator's id."""
    return ids.operator_id(operator_key(name).public)


def test_an_added_operator_is_not_in_the_roster() -> None:
    """Access to the API is not the right to sign: only the roster gives that."""
    desk = Desk.open()
    added = desk.do(lambda tx: operators.add(tx, desk.ada, request("eve")))
    assert (added.role, added.added_by, added.in_roster) == ("operator", "ada", False)
    assert desk.do(lambda tx: operators.get(tx, identity("ada"))).in_roster


@pytest.mark.parametrize(
    "wrong",
    [request("eve", key="ab"), request("eve", key="AB" * 32), request("1eve"), request("a b")],
)
def test_a_malformed_key_or_name_is_refused(wrong: api.AddOperatorRequest) -> None:
    desk = Desk.open()
    assert desk.refused(lambda tx: operators.add(tx, desk.ada, wrong)).kind == "bad_request"


@pytest.mark.parametrize(
    "taken", [request("eve", key=operator_key("ada").public.hex()), request("ADA")]
)
def test_a_key_and_a_name_belong_to_one_operator(taken: api.AddOperatorRequest) -> None:
    desk = Desk.open()
    assert desk.refused(lambda tx: operators.add(tx, desk.ada, taken)).kind == "conflict"


def test_a_removed_operator_is_kept_for_the_record_and_has_no_session() -> None:
    desk = Desk.open()
    desk.do(lambda tx: operators.remove(tx, desk.ada, identity("oli")))
    assert identity("oli") not in {o.operator_id for o in desk.do(operators.listing)}
    kept = desk.do(lambda tx: operators.get(tx, identity("oli")))
    assert (kept.removed_by, kept.removed_at) == ("ada", int(SEED_TIME))
    assert kept in desk.do(lambda tx: operators.listing(tx, include_removed=True))
    assert desk.do(lambda tx: sessions.find(tx, "token-of-oli")) is None
    assert desk.refused(lambda tx: operators.remove(tx, desk.ada, identity("oli")))


def test_a_removed_operator_may_be_added_again() -> None:
    desk = Desk.open()
    desk.do(lambda tx: operators.remove(tx, desk.ada, identity("oli")))
    again = desk.do(lambda tx: operators.add(tx, desk.ada, request("oli")))
    assert (again.removed_at, again.removed_by) == (None, None)


def test_the_last_admin_stays() -> None:
    desk = Desk.open()
    refusal = desk.refused(lambda tx: operators.remove(tx, desk.ada, identity("ada")))
    assert refusal.kind == "conflict"
    desk.do(lambda tx: operators.add(tx, desk.ada, request("eve", "admin")))
    desk.do(lambda tx: operators.remove(tx, desk.ada, identity("ada")))


def test_the_bootstrap_operator_is_the_first_and_only_by_that_way() -> None:
    store = Store.open("sqlite://", clock=lambda: SEED_TIME, inline=True)
    key = operator_key("ada").public
    first = store.write_now(lambda tx: operators.bootstrap(tx, key, "ada"))
    assert isinstance(first, api.Operator)
    assert (first.role, first.bootstrap) == ("admin", True)
    other = operator_key("eve").public
    again = store.write_now(lambda tx: operators.bootstrap(tx, other, "eve"))
    assert not isinstance(again, api.Operator)


def test_who_is_unknown_is_nobody() -> None:
    desk = Desk.open()
    assert desk.do(lambda tx: operators.actor(tx, "x")) is None
    assert desk.refused(lambda tx: operators.get(tx, "x")).kind == "not_found"
