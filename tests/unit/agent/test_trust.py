"""Pins, standing and roster are kept on disk and change only as they may."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from agent import ledger
from agent.database import Database, put
from agent.trust import AlreadyEnrolledError, Pins, Standing, Trust
from protocol import dsse, ids, node_statement
from protocol.errors import StandfastError
from protocol.messages import Welcome
from protocol.node_statement import NodeStatement
from protocol.reasons import Reason, Refused
from protocol.roster import TrustedRoster
from tests.fakes.agent import NOW
from tests.fakes.operators import Operator, first_roster, next_roster, roster_digest

ADA = Operator()
NODE = ids.node_id(b"n" * 32)
FIRST = first_roster(ADA, issued_at=1_000)
PINS = Pins(("https://c:4748",), b"k" * 32, "ab" * 32, roster_digest(FIRST), b"s" * 32)


def welcome(scope: str = "a/b/c") -> Welcome:
    return Welcome("n", "approved", 0, 1, 0.0, scope, "web1")


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    """Pins, roster and standing come back from disk as they were."""
    database = Database(tmp_path, reserve=0)
    trust = Trust(database)
    trust.enrol(PINS)
    assert isinstance(trust.take_roster((FIRST,), NOW), TrustedRoster)
    assert trust.take_roster((FIRST,), NOW) is None
    assert trust.welcome(welcome()) is None
    again = Trust(database)
    assert again.pins == trust.pins
    assert again.roster == trust.roster
    assert again.standing == Standing("approved", "a/b/c", "web1")
    assert database.read(ledger.latest_signed_time) == 1_000
    database.close()


def test_the_secret_is_dropped_once_it_was_used(tmp_path: Path) -> None:
    """After the first welcome the enrolment secret is not kept, and it is never shown."""
    trust = Trust(Database(tmp_path, reserve=0))
    trust.enrol(PINS)
    trust.welcome(welcome())
    assert trust.pins is not None
    assert trust.pins.secret is None
    assert "73737373" not in repr(PINS)


def test_a_second_coordinator_is_refused_until_the_first_is_left(tmp_path: Path) -> None:
    """A host does not change sides by a key in a file."""
    trust = Trust(Database(tmp_path, reserve=0))
    trust.enrol(PINS)
    other = Pins(("https://d:1",), b"o" * 32, "", None)
    with pytest.raises(AlreadyEnrolledError, match="enrol --replace"):
        trust.enrol(other)
    trust.forget(lambda _: None)
    trust.enrol(other)
    assert trust.pins == other


def test_the_scope_stays_what_it_was_first(tmp_path: Path) -> None:
    """A coordinator cannot move a host out of the scope in which its epochs are counted."""
    trust = Trust(Database(tmp_path, reserve=0))
    trust.welcome(welcome())
    assert trust.welcome(welcome("x/y/z")) is not None
    assert trust.standing.scope == "a/b/c"


@pytest.mark.hostile
def test_a_roster_from_the_next_century_does_not_expire_everything(tmp_path: Path) -> None:
    """One admin whose clock was wrong moves a host's time by a minute, not by a century."""
    database = Database(tmp_path, reserve=0)
    trust = Trust(database)
    trust.enrol(PINS)
    second = next_roster(FIRST, ADA, ADA, issued_at=4_000_000_000)
    assert isinstance(trust.take_roster((FIRST, second), NOW), TrustedRoster)
    assert database.read(ledger.latest_signed_time) == NOW + 60
    database.close()


def test_a_pinned_key_follows_a_rotation(tmp_path: Path) -> None:
    """The successor is pinned and the rest stays."""
    database = Database(tmp_path, reserve=0)
    trust = Trust(database)
    trust.enrol(PINS)
    trust.rotate(b"n" * 32)
    found = Trust(database).pins
    assert found is not None
    assert (found.coordinator_key, found.urls) == (b"n" * 32, PINS.urls)
    database.close()


def test_a_roster_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """The enrolment key names the roster to begin with; another is not a beginning."""
    trust = Trust(Database(tmp_path, reserve=0))
    trust.enrol(PINS)
    refused = trust.take_roster((first_roster(Operator(username="eve")),), NOW)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.ROSTER_UNKNOWN
    second = next_roster(FIRST, ADA, ADA, epochs={"a/b/c": 4}, issued_at=5_000)
    assert isinstance(trust.take_roster((FIRST, second), NOW), TrustedRoster)
    held = trust.roster
    assert held is not None
    assert held.roster.version == 2


def test_a_statement_survives_a_restart_and_not_a_move(tmp_path: Path) -> None:
    """What operators signed about the host outlives the agent, and belongs to one coordinator."""
    database = Database(tmp_path, reserve=0)
    trust = Trust(database)
    made = NodeStatement(1, 1, NODE, "ab" * 32, "web1", "o/p/e", {"env": "prod"}, 5_000)
    envelope = dsse.sign(dsse.NODE, node_statement.encode(made), ADA.key, ADA.id)
    take = partial(trust.take_statement, envelope, NODE, b"\xab" * 32, NOW)
    early = take()
    assert isinstance(early, Refused)
    assert early.reason is Reason.ROSTER_UNKNOWN
    trust.enrol(PINS)
    trust.take_roster((FIRST,), NOW)
    trust.welcome(welcome())
    assert trust.scope == "a/b/c"
    for node, key in ((NODE, b"\0" * 32), (ids.node_id(b"other"), b"\xab" * 32)):
        other = trust.take_statement(envelope, node, key, NOW)
        assert isinstance(other, Refused)
        assert other.reason is Reason.STATEMENT_INVALID
    assert take() is True
    assert take() is False
    assert (trust.statement, trust.scope) == (made, "o/p/e")
    assert database.read(ledger.latest_signed_time) == 5_000
    assert trust.welcome(welcome("x/y/z")) == "scope 'x/y/z' offered, 'o/p/e' held"
    assert trust.welcome(welcome("o/p/e")) is None
    again = Trust(database)
    assert (again.statement, again.scope) == (made, "o/p/e")
    again.forget(lambda _tx: None)
    assert again.statement is None
    assert Trust(database).statement is None
    database.close()


def test_a_damaged_statement_stops_the_start(tmp_path: Path) -> None:
    """Without it the host would look at nothing where it should look at signed tags."""
    database = Database(tmp_path, reserve=0)
    database.write(lambda tx: put(tx, "statement", b'{"payloadType":"x","payload":""}'))
    with pytest.raises(StandfastError, match="damaged"):
        Trust(database)
    database.close()
