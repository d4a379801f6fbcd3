"""Managed hosts: registration and approval."""

from __future__ import annotations

import pytest

from coordinator.domain import agents, enrolment_keys
from coordinator.domain.enrolment_keys import Issuer
from coordinator.store import presence
from coordinator.store.database import Store, Tx
from protocol import api, enrolment, ids
from protocol.messages import Rejected
from tests.fakes.api_site import APPROVED, PENDING, SEED_TIME, Desk, hello, host_key, register

ISSUER = Issuer(("https://c:4748",), b"k" * 32, "ab" * 32)


def key_secret(desk: Desk, **settings: object) -> bytes:
    """Make an enrolment key and return its secret."""
    request = api.CreateEnrolmentKeyRequest(**settings)  # type: ignore[arg-type]  # test data
    made = desk.do(lambda tx: enrolment_keys.create(tx, desk.ada, "default", request, ISSUER))
    assert made.key is not None
    return enrolment.decode(made.key).secret_bytes()


def arrive(tx: Tx, number: int, hostname: str, secret: bytes | None) -> object:
    """Register as the link does and return whatever comes."""
    key = host_key(number)
    return agents.register(
        tx,
        hello=hello(key, hostname),
        node_id=ids.node_id(key.public),
        public_key=key.public,
        secret=secret,
        peer="192.0.2.9",
        identity_public=b"c" * 32,
    )


def decide(status: str, name: str | None = None) -> api.StatusChangeRequest:
    """Return a decision."""
    return api.StatusChangeRequest(status, name)  # type: ignore[arg-type]  # test data


def test_without_a_roster_nobody_registers() -> None:
    """A host that could not know whom to trust is sent away, with the reason."""
    store = Store.open("sqlite://", clock=lambda: SEED_TIME, inline=True)
    outcome = store.write_now(lambda tx: arrive(tx, 5, "h", None))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "roster_unknown"


def test_a_host_without_a_key_waits_and_a_second_arrival_makes_no_second_record() -> None:
    desk = Desk.open()
    before = len(desk.do(agents.listing))
    first = desk.do(lambda tx: arrive(tx, 5, "h", None))
    again = desk.do(lambda tx: arrive(tx, 5, "h", None))
    assert first == again == agents.Registered("pending", None, ids.DEFAULT_SCOPE)
    assert len(desk.do(agents.listing)) == before + 1


def test_a_key_counts_once_for_a_host_that_comes_again() -> None:
    desk = Desk.open()
    secret = key_secret(desk, uses_remaining=1, tags={"role": "web"})
    assert isinstance(desk.do(lambda tx: arrive(tx, 5, "h", secret)), agents.Registered)
    assert isinstance(desk.do(lambda tx: arrive(tx, 5, "h", secret)), agents.Registered)
    outcome = desk.do(lambda tx: arrive(tx, 6, "other", secret))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "key_spent"
    assert desk.do(lambda tx: agents.get(tx, ids.node_id(host_key(5).public))).tags == {
        "role": "web"
    }


def test_an_unknown_secret_leaves_no_record() -> None:
    desk = Desk.open()
    outcome = desk.do(lambda tx: arrive(tx, 5, "h", b"x" * 32))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "invalid_key"
    assert desk.do(lambda tx: agents.approval_of(tx, ids.node_id(host_key(5).public))) is None


def test_a_key_may_approve_and_two_hosts_of_one_name_get_two_names() -> None:
    desk = Desk.open()
    secret = key_secret(desk, uses_remaining=None, auto_approve=True)
    first = desk.do(lambda tx: arrive(tx, 5, "db.example", secret))
    second = desk.do(lambda tx: arrive(tx, 6, "db.other", secret))
    third = desk.do(lambda tx: arrive(tx, 7, "127.0.0.1", secret))
    assert isinstance(first, agents.Registered)
    assert isinstance(second, agents.Registered)
    assert isinstance(third, agents.Registered)
    assert {first.approval, second.approval, third.approval} == {"approved"}
    assert first.name == "db"
    assert second.name is not None
    assert second.name.startswith("db-")
    assert third.name == f"node-{ids.node_id(host_key(7).public)}"


def test_a_waiting_host_that_brings_a_key_later_is_approved_by_it() -> None:
    desk = Desk.open()
    secret = key_secret(desk, auto_approve=True)
    outcome = desk.do(lambda tx: arrive(tx, 1, "pending.example", secret))
    assert outcome == agents.Registered("approved", "pending", ids.DEFAULT_SCOPE)


def test_strangers_cannot_fill_the_store() -> None:
    desk = Desk.open()
    for number in range(2, agents.PENDING_CAPACITY + 1):
        desk.do(lambda tx, n=number + 1: register(tx, n, "h"))  # type: ignore[misc]  # bound now
    outcome = desk.do(lambda tx: arrive(tx, 250, "h", None))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "pending_full"
    secret = key_secret(desk)
    assert isinstance(desk.do(lambda tx: arrive(tx, 250, "h", secret)), agents.Registered)


def test_a_hostname_is_harmless_on_a_terminal() -> None:
    desk = Desk.open()
    desk.do(lambda tx: arrive(tx, 5, "a\x1b[31m\n\u202eb" + "x" * 500, None))
    shown = desk.do(lambda tx: agents.get(tx, ids.node_id(host_key(5).public))).initial_hostname
    assert shown.isprintable()
    assert len(shown) == 253


def test_a_name_belongs_to_one_host_also_in_other_letters() -> None:
    desk = Desk.open()
    refusal = desk.refused(
        lambda tx: agents.decide(tx, desk.ada, PENDING, decide("approved", "WEB-1"), None)
    )
    assert refusal.kind == "conflict"


@pytest.mark.parametrize("name", [None, "", "1st", "a b", "x" * 65])
def test_approval_needs_a_good_name(name: str | None) -> None:
    desk = Desk.open()
    refusal = desk.refused(
        lambda tx: agents.decide(tx, desk.ada, PENDING, decide("approved", name), None)
    )
    assert refusal.kind == "bad_request"
    assert desk.do(lambda tx: agents.get(tx, PENDING)).status == "pending"


def test_only_a_rejected_host_is_deleted_and_its_name_is_free_again() -> None:
    desk = Desk.open()
    assert desk.refused(lambda tx: agents.delete(tx, desk.ada, APPROVED)).kind == "conflict"
    desk.do(lambda tx: agents.decide(tx, desk.ada, APPROVED, decide("rejected"), None))
    desk.do(lambda tx: agents.decide(tx, desk.ada, PENDING, decide("approved", "web-1"), None))
    desk.do(lambda tx: agents.delete(tx, desk.ada, APPROVED))
    assert desk.do(lambda tx: agents.approval_of(tx, APPROVED)) is None
    assert desk.do(lambda tx: presence.get(tx, APPROVED)) is None


def test_hosts_are_found_by_status_and_selector() -> None:
    desk = Desk.open()
    assert [a.node_id for a in desk.do(lambda tx: agents.listing(tx, "pending"))] == [PENDING]
    assert [a.node_id for a in desk.do(lambda tx: agents.matching(tx, "*"))] == [APPROVED]
    assert desk.do(lambda tx: agents.listing(tx, None, "role=db")) == ()
    assert desk.refused(lambda tx: agents.listing(tx, None, "role in (")).kind == "bad_request"


def test_hosts_by_id_come_in_the_order_given_or_not_at_all() -> None:
    desk = Desk.open()
    found = desk.do(lambda tx: agents.by_ids(tx, (APPROVED, PENDING)))
    assert [agent.node_id for agent in found] == [APPROVED, PENDING]
    assert desk.refused(lambda tx: agents.by_ids(tx, (APPROVED, "x"))).kind == "not_found"


def test_an_old_version_decides_nothing() -> None:
    desk = Desk.open()
    refusal = desk.refused(
        lambda tx: agents.decide(tx, desk.ada, PENDING, decide("approved", "n"), 1)
    )
    assert refusal.kind == "conflict"
