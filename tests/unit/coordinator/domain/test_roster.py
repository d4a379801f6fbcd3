"""The roster as the coordinator takes it."""

from __future__ import annotations

from coordinator.domain import operators, roster
from coordinator.domain.actor import Actor
from coordinator.domain.refusals import Refusal
from coordinator.store.database import Store
from protocol import api, dsse, ids
from protocol.roster import Role
from tests.fakes.api_site import (
    SEED_TIME,
    Desk,
    everyone,
    operator_key,
    roster_envelope,
)


def next_version(desk: Desk, names: dict[str, Role], signer: str = "ada") -> dsse.Envelope:
    """Return the version after the one held."""
    held = desk.do(roster.current)
    assert held is not None
    return roster_envelope(names, held.roster.version + 1, held.digest, signer)


def live(desk: Desk) -> dict[str, str]:
    """Return name and role of everyone who may use the API."""
    return {o.username: o.role for o in desk.do(operators.listing)}


def test_the_next_version_is_taken_and_the_operators_follow() -> None:
    """Who is new may log in, who is gone may not, whose role changed has the new one."""
    desk = Desk.open()
    names: dict[str, Role] = {"ada": "admin", "oli": "admin", "eve": "viewer"}
    envelope = next_version(desk, names)
    shown = desk.do(lambda tx: roster.accept(tx, desk.ada, envelope))
    assert shown.version == 2
    assert len(shown.chain) == 2
    assert live(desk) == names


def test_the_same_version_again_is_no_change() -> None:
    desk = Desk.open()
    envelope = next_version(desk, {"ada": "admin"})
    first = desk.do(lambda tx: roster.accept(tx, desk.ada, envelope))
    seq = desk.last_event().seq
    assert desk.do(lambda tx: roster.accept(tx, desk.ada, envelope)) == first
    assert desk.last_event().seq == seq


def test_who_is_no_admin_of_the_one_held_cannot_sign_the_next() -> None:
    desk = Desk.open()
    envelope = next_version(desk, {"oli": "admin"}, signer="oli")
    refusal = desk.refused(lambda tx: roster.accept(tx, desk.ada, envelope))
    assert (refusal.kind, refusal.code) == ("bad_request", "roster_invalid")
    assert live(desk) == everyone()


def test_a_version_that_does_not_follow_is_a_conflict() -> None:
    desk = Desk.open()
    skipped = roster_envelope({"ada": "admin"}, 3, "0" * 64)
    other_first = roster_envelope({"ada": "admin"})
    for envelope in (skipped, other_first):
        refusal = desk.refused(lambda tx, e=envelope: roster.accept(tx, desk.ada, e))  # type: ignore[misc]  # bound now
        assert (refusal.kind, refusal.code) == ("conflict", "roster_fork")


def test_who_was_removed_by_hand_is_not_let_in_by_an_unchanged_line() -> None:
    desk = Desk.open()
    oli = ids.operator_id(operator_key("oli").public)
    desk.do(lambda tx: operators.remove(tx, desk.ada, oli))
    envelope = next_version(desk, everyone() | {"eve": "viewer"})
    desk.do(lambda tx: roster.accept(tx, desk.ada, envelope))
    assert "eve" in live(desk)
    assert "oli" not in live(desk)


def test_a_name_of_the_roster_that_another_key_has_here_stops_it_whole() -> None:
    desk = Desk.open()
    request = api.AddOperatorRequest("ab" * 32, "eve")
    desk.do(lambda tx: operators.add(tx, desk.ada, request))
    envelope = next_version(desk, {"ada": "admin", "eve": "viewer"})
    refusal = desk.refused(lambda tx: roster.accept(tx, desk.ada, envelope))
    assert refusal.kind == "conflict"
    assert live(desk) == everyone() | {"eve": "operator"}


def test_the_first_roster_must_name_who_brings_it() -> None:
    """Otherwise an admin of the API could be locked out by a roster of strangers."""
    store = Store.open("sqlite://", clock=lambda: SEED_TIME, inline=True)
    key = operator_key("ada").public
    store.write_now(lambda tx: operators.bootstrap(tx, key, "ada"))
    ada = Actor(ids.operator_id(key), "ada", "admin")
    strangers = roster_envelope({"oli": "admin"}, signer="oli")
    outcome = store.write_now(lambda tx: roster.accept(tx, ada, strangers))
    assert isinstance(outcome, Refusal)
    own = roster_envelope({"ada": "admin"})
    assert isinstance(store.write_now(lambda tx: roster.accept(tx, ada, own)), api.RosterResponse)


def test_the_chain_is_carried_from_any_version_on() -> None:
    desk = Desk.open()
    envelope = next_version(desk, {"ada": "admin"})
    desk.do(lambda tx: roster.accept(tx, desk.ada, envelope))
    assert [len(desk.do(lambda tx, n=n: roster.chain_after(tx, n))) for n in (0, 1, 2)] == [2, 1, 0]  # type: ignore[misc]  # bound now
    assert desk.do(lambda tx: roster.show(tx, 2)).version == 2


def test_before_the_first_roster_there_is_version_0() -> None:
    store = Store.open("sqlite://", clock=lambda: SEED_TIME, inline=True)
    assert store.read_now(lambda tx: roster.show(tx, 0)) == api.RosterResponse(0, "", ())
    assert store.read_now(roster.current) is None


def test_a_coordinator_starts_with_a_whole_chain_or_none() -> None:
    store = Store.open("sqlite://", clock=lambda: SEED_TIME, inline=True)
    first = roster_envelope({"ada": "admin"})
    assert isinstance(store.write_now(lambda tx: roster.start_with(tx, ())), Refusal)
    started = store.write_now(lambda tx: roster.start_with(tx, (first,)))
    assert not isinstance(started, Refusal)
    assert isinstance(store.write_now(lambda tx: roster.start_with(tx, (first,))), Refusal)
