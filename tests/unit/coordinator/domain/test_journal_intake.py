from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import agents, journal_intake, why
from coordinator.store import events, journals
from protocol import api, api_why, journal
from protocol.messages import Audit, Finished
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet, chunks

A = Audit("note", "a")
B = Audit("note", "b")


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


def told(fleet: Fleet, host: FakeHost) -> list[str]:
    found = fleet.store.read_now(lambda tx: events.latest(tx, target=host.node_id))
    return [event.type for event in found]


def test_each_entry_is_taken_in_once(fleet: Fleet, host: FakeHost) -> None:
    """A batch that comes again is acknowledged again and changes nothing."""
    entries = host.say(A, B)
    assert fleet.deliver(host, entries).acked == 2
    before = told(fleet, host)
    again = fleet.deliver(host, entries)
    assert (again.acked, again.fault) == (2, None)
    assert told(fleet, host) == before


def test_overlapping_batches_are_taken_in_where_they_are_new(fleet: Fleet, host: FakeHost) -> None:
    """What is stored is passed over, what follows is taken."""
    entries = host.say(A, B, A)
    fleet.deliver(host, entries[:2])
    assert fleet.deliver(host, entries[1:]).acked == 3


def test_a_gap_is_refused(fleet: Fleet, host: FakeHost) -> None:
    """Nothing after a missing entry is stored; what is acknowledged says where to go on."""
    entries = host.say(A, B, A)
    intake = fleet.deliver(host, [entries[0], entries[2]])
    assert intake.acked == 1
    assert intake.fault is not None
    assert intake.fault.code == "journal_gap"


def test_another_entry_under_a_stored_number_is_a_fork(fleet: Fleet, host: FakeHost) -> None:
    """It is refused, stands in the event log once however often it comes, and `why` shows it."""
    fleet.deliver(host, host.say(A))
    copy = FakeHost(10)
    forked = copy.say(B)
    for _ in range(3):
        intake = fleet.deliver(host, forked)
        assert intake.acked == 1
        assert intake.fault is not None
        assert intake.fault.code == "journal_forked"
    assert told(fleet, host).count("agent.journal_forked") == 1
    answer = fleet.store.read_now(lambda tx: why.why(tx, host.node_id))
    assert isinstance(answer, api_why.Why)
    assert "agent.journal_forked" in [line.code for line in answer.lines]


def test_a_fork_inside_one_batch_is_a_fork(fleet: Fleet, host: FakeHost) -> None:
    """Two stories under one number are refused also where neither is stored yet."""
    first = host.say(A)
    other = FakeHost(10).say(B)
    intake = fleet.deliver(host, [*first, *first, *other])
    assert intake.acked == 1
    assert intake.fault is not None
    assert intake.fault.code == "journal_forked"
    assert fleet.deliver(host, first) == journal_intake.Intake(1)


def test_an_entry_that_does_not_follow_is_a_fork(fleet: Fleet, host: FakeHost) -> None:
    """A right number over a wrong past is another story, too."""
    fleet.deliver(host, host.say(A))
    copy = FakeHost(10)
    intake = fleet.deliver(host, copy.say(B, A)[1:])
    assert intake.fault is not None
    assert intake.fault.code == "journal_forked"


@pytest.mark.parametrize("field", ["body", "at", "kind", "sig"])
def test_a_changed_entry_is_refused_and_not_called_a_fork(
    fleet: Fleet, host: FakeHost, field: str
) -> None:
    """Without the host's signature it says nothing about the host."""
    (entry,) = host.say(A)
    changed = {"body": b"x", "at": 5.0, "kind": "drift", "sig": bytes(64)}[field]
    intake = fleet.deliver(host, [msgspec.structs.replace(entry, **{field: changed})])
    assert intake.acked == 0
    assert intake.fault is not None
    assert intake.fault.code == "journal_signature"


@pytest.mark.parametrize("seq", [0, -1, 2**63])
def test_numbers_outside_a_journal_are_refused(fleet: Fleet, host: FakeHost, seq: int) -> None:
    """They are refused before the database sees them."""
    entry = journal.seal(seq, journal.GENESIS, 1.0, "audit", b"", host.key)
    assert fleet.deliver(host, [entry]).fault is not None


def test_a_result_that_was_never_sent_is_a_protocol_error(fleet: Fleet, host: FakeHost) -> None:
    """`finished` must not name an artifact that this host has not sent before."""
    run = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    offer = fleet.one_offer(host)
    good, bad = host.say(A, Finished(run.run_id, offer.fence, "succeeded", "0" * 64))
    intake = fleet.deliver(host, [good, bad])
    assert intake.acked == good.seq
    assert intake.fault is not None
    assert intake.fault.code == "artifact_missing"
    assert fleet.run(run.run_id).steps[0].phase == "offered"


def test_what_cannot_be_read_is_kept_and_said(fleet: Fleet, host: FakeHost) -> None:
    """A signed entry of a newer agent does not stop the journal."""
    entry = journal.seal(1, journal.GENESIS, 1.0, "audit", b"\xc1", host.key)
    assert fleet.deliver(host, [entry]).acked == 1
    assert "agent.report_unreadable" in told(fleet, host)


def test_a_host_speaks_with_its_own_key_only(fleet: Fleet, host: FakeHost) -> None:
    """What another host has signed is not stored as this one's, though it is well signed."""
    other = fleet.add(11)
    (entry,) = other.say(A)
    intake = fleet.store.write_now(
        lambda tx: journal_intake.take_in(tx, host.host, host.key.public, [entry])
    )
    assert intake.acked == 0
    assert intake.fault is not None
    assert intake.fault.code == "journal_signature"


def test_the_stored_journal_is_the_hosts(fleet: Fleet, host: FakeHost) -> None:
    """What is stored carries the host's own signatures."""
    fleet.deliver(host, host.say(A, B))
    stored = fleet.store.read_now(lambda tx: journals.latest(tx, host.node_id, ("audit",), 9))
    assert [entry.seq for entry in stored] == [2, 1]
    assert all(journal.holds(entry, host.key.public) for entry in stored)


def test_a_store_that_is_older_than_its_host_goes_on_where_the_host_does(
    fleet: Fleet, host: FakeHost
) -> None:
    """Restored from a backup: what is gone on both sides is said, all that follows is taken."""
    entries = host.say(A, B, A, B)
    fleet.deliver(host, entries[:1])

    def first_of_a_link(start: int) -> journal_intake.Intake:
        return fleet.store.write_now(
            lambda tx: journal_intake.take_in(
                tx, host.host, host.key.public, entries[start:], resumes=True
            )
        )

    assert first_of_a_link(2) == journal_intake.Intake(4)
    assert "agent.journal_gap" in told(fleet, host)
    # The lost one turns up after all: it is passed over, for nothing may be done out of order.
    assert fleet.deliver(host, entries) == journal_intake.Intake(4)
    assert fleet.deliver(host, host.say(A)) == journal_intake.Intake(5)


def test_only_the_hosts_own_signature_opens_a_gap(fleet: Fleet, host: FakeHost) -> None:
    """An entry that somebody made up leaves the stored journal as it is."""
    entries = host.say(A, B, A)
    forged = msgspec.structs.replace(entries[2], sig=bytes(64))
    intake = fleet.store.write_now(
        lambda tx: journal_intake.take_in(tx, host.host, host.key.public, [forged], resumes=True)
    )
    assert intake.acked == 0
    assert intake.fault is not None
    assert fleet.deliver(host, entries).acked == 3


@pytest.mark.parametrize("what", ["entries", "bytes", "artifact"])
def test_a_stranger_cannot_fill_the_disk(fleet: Fleet, what: str) -> None:
    """Before its approval a host is heard a little; approved, it is heard in full."""
    host = fleet.add(11, approve=False)
    notes = host.say(*[A] * 200)
    more = {
        "entries": lambda: host.say(*[B] * 100),
        "bytes": lambda: host.say(Audit("note", "x" * journal_intake.UNAPPROVED_BYTES)),
        "artifact": lambda: host.say(*chunks(b"x", "plan")),
    }[what]()

    def take_in(entries: list[journal.Entry], *, approved: bool) -> journal_intake.Intake:
        return fleet.store.write_now(
            lambda tx: journal_intake.take_in(
                tx, host.host, host.key.public, entries, approved=approved
            )
        )

    assert take_in(notes, approved=False).fault is None
    intake = take_in(more, approved=False)
    assert intake.fault is not None
    assert (intake.acked, intake.fault.code) == (200, "journal_unapproved")
    assert take_in(more, approved=True).fault is None


def test_a_host_that_was_deleted_may_begin_a_new_journal(fleet: Fleet) -> None:
    """A forked journal is healed by forgetting the host and letting it in again."""
    host = fleet.add(11)
    fleet.deliver(host, host.say(A))
    reject = api.StatusChangeRequest("rejected")
    fleet.store.write_now(lambda tx: agents.decide(tx, OPERATOR, host.node_id, reject, None))
    assert fleet.store.write_now(lambda tx: agents.delete(tx, OPERATOR, host.node_id)) is None
    again = fleet.add(11)
    assert fleet.deliver(again, again.say(B)) == journal_intake.Intake(1)
