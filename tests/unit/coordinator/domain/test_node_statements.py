from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import node_statements
from coordinator.domain.refusals import Refusal
from protocol import api_approvals, dsse
from protocol.reasons import Reason
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


def put(
    fleet: Fleet, host: FakeHost, envelope: dsse.Envelope
) -> api_approvals.StatementResponse | Refusal:
    return fleet.store.write_now(
        lambda tx: node_statements.put(tx, OPERATOR, host.node_id, envelope)
    )


def test_a_statement_is_kept_and_only_a_newer_one_follows(fleet: Fleet, host: FakeHost) -> None:
    """What was signed is handed out as it came; an older one is refused; the link is woken."""
    first = fleet.statement(host, {"role": "web"})
    taken = put(fleet, host, first)
    assert taken == api_approvals.StatementResponse(host.node_id, 1, first)
    assert f"node:{host.node_id}" in fleet.told[-1]
    assert put(fleet, host, first) == taken
    old = put(fleet, host, fleet.statement(host, {"role": "db"}))
    assert isinstance(old, Refusal)
    assert (old.kind, old.code) == ("conflict", Reason.STATEMENT_OLD)
    second = fleet.statement(host, {"role": "db"}, version=2)
    assert not isinstance(put(fleet, host, second), Refusal)
    shown = fleet.store.read_now(lambda tx: node_statements.show(tx, host.node_id))
    assert isinstance(shown, api_approvals.StatementResponse)
    assert shown.envelope == second
    held = fleet.store.read_now(lambda tx: node_statements.current(tx, host.node_id))
    assert held is not None
    assert held.tags == {"role": "db"}


@pytest.mark.parametrize(
    "changes",
    [
        {"node_id": people.NODE},
        {"public_key": people.key(77).public.hex()},
        {"scope": "other/x/y"},
        {"number": 99},
    ],
)
def test_a_statement_about_something_else_is_refused(
    fleet: Fleet, host: FakeHost, changes: dict[str, object]
) -> None:
    """Another host, a key it has not proved, another scope, a stranger's signature."""
    number = changes.pop("number", 1)
    assert isinstance(number, int)
    outcome = put(fleet, host, fleet.statement(host, {}, number, **changes))
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "bad_request"
    missing = fleet.store.read_now(lambda tx: node_statements.show(tx, host.node_id))
    assert isinstance(missing, Refusal)
    assert missing.code == "statement_missing"


def test_an_operator_without_the_grant_says_nothing_about_a_host(
    fleet: Fleet, host: FakeHost
) -> None:
    fleet.adopt(operators=(people.person(1), people.person(2, "operator")))
    outcome = put(fleet, host, fleet.statement(host, {}, 2))
    assert isinstance(outcome, Refusal)
    assert outcome.code == Reason.STATEMENT_INVALID


def test_an_unknown_host_is_not_found(fleet: Fleet) -> None:
    stranger = FakeHost(44)
    outcome = put(fleet, stranger, fleet.statement(stranger, {}))
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "not_found"


def test_bytes_that_are_no_statement_are_a_bad_request(fleet: Fleet, host: FakeHost) -> None:
    bent = msgspec.structs.replace(fleet.statement(host, {}), payload="e30=")
    outcome = put(fleet, host, bent)
    assert isinstance(outcome, Refusal)
    assert outcome.code == Reason.STATEMENT_INVALID
