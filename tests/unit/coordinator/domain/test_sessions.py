"""Sessions are seen and ended by whom they belong to, and by admins."""

from __future__ import annotations

import msgspec

from coordinator.domain import sessions
from coordinator.store import sessions as stored
from tests.fakes.api_site import Desk


def test_one_sees_ones_own_and_an_admin_all() -> None:
    desk = Desk.open()
    oli = desk.people["oli"]
    mine = desk.do(lambda tx: sessions.listing(tx, oli, everybody=False)).items
    assert [one.username for one in mine] == ["oli"]
    everybody = desk.do(lambda tx: sessions.listing(tx, desk.ada, everybody=True)).items
    assert {one.username for one in everybody} == {"ada", "oli", "vik", "otto"}
    refusal = desk.refused(lambda tx: sessions.listing(tx, oli, everybody=True))
    assert refusal.kind == "forbidden"


def test_nobody_but_an_admin_ends_the_session_of_another() -> None:
    desk = Desk.open()
    oli, vik = desk.people["oli"], desk.people["vik"]
    (his,) = desk.do(lambda tx: sessions.listing(tx, vik, everybody=False)).items
    assert desk.refused(lambda tx: sessions.end(tx, oli, his.session_id)).kind == "not_found"
    whole = desk.refused(lambda tx: sessions.end_all(tx, oli, vik.operator_id))
    assert whole.kind == "forbidden"
    assert desk.store.read_now(lambda tx: stored.find(tx, "token-of-vik")) is not None
    assert desk.do(lambda tx: sessions.end(tx, desk.ada, his.session_id)) is None
    assert desk.store.read_now(lambda tx: stored.find(tx, "token-of-vik")) is None
    assert desk.last_event().type == "auth.session_ended"
    assert desk.last_event().target.name == "vik"


def test_logging_out_ends_the_session_that_asks_and_no_other() -> None:
    desk = Desk.open()
    oli = desk.people["oli"]
    second = desk.do(lambda tx: stored.create(tx, oli.operator_id, "second", 2e9))
    by = msgspec.structs.replace(oli, credential=second)
    desk.do(lambda tx: sessions.log_out(tx, by))
    assert desk.store.read_now(lambda tx: stored.find(tx, "second")) is None
    assert desk.store.read_now(lambda tx: stored.find(tx, "token-of-oli")) is not None
    assert desk.do(lambda tx: sessions.end_all(tx, oli, None)).ended == 1
    seq = desk.last_event().seq
    assert desk.do(lambda tx: sessions.end_all(tx, oli, None)).ended == 0
    desk.do(lambda tx: sessions.log_out(tx, by))
    assert desk.last_event().seq == seq
