"""The parts together: what is refused is told, once, and heartbeats say what is wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent import enrolling, ledger
from agent.core import BUSY_SECONDS, Core
from protocol import dsse, enrolment, messages, node_statement, revocations
from protocol.messages import (
    Audit,
    Cancel,
    Desired,
    Finished,
    RevocationUpdate,
    RosterUpdate,
    StatementUpdate,
    Welcome,
)
from protocol.node_statement import NodeStatement
from protocol.revocations import Revocation
from tests.fakes.agent import make_core
from tests.fakes.operators import Operator, first_roster
from tests.unit.agent.test_enrolling import KEY


def audits(core: Core) -> list[Audit]:
    bodies = [messages.decode_body(entry) for entry in core.journal.after(0)]
    return [body for body in bodies if isinstance(body, Audit)]


def test_a_lie_that_is_repeated_is_told_once(tmp_path: Path) -> None:
    """A hostile coordinator cannot fill the journal by repeating itself."""
    core = make_core(tmp_path / "state")
    core.on_desired(Desired(5, b"five"))
    for _ in range(3):
        core.on_desired(Desired(4, b"four"))
    core.on_desired(Desired(5, b"other"))
    reasons = [audit.reason for audit in audits(core)]
    assert reasons == ["generation_old", "generation_conflict"]
    assert core.ledger.desired().document == b"five"


def test_a_roster_that_does_not_hold_is_told(tmp_path: Path) -> None:
    """Operators learn that somebody tried."""
    core = make_core(tmp_path / "state")
    core.on_roster(RosterUpdate((first_roster(Operator()),)))
    held = core.trust.roster
    core.on_roster(RosterUpdate((first_roster(Operator(username="eve")),)))
    assert core.trust.roster == held
    assert [(a.reason, a.severity) for a in audits(core)] == [("roster_fork", "critical")]


def test_a_heartbeat_says_how_the_host_is(tmp_path: Path) -> None:
    """Generation, drift and problems travel with every sign of life."""
    core = make_core(tmp_path / "state")
    core.on_desired(Desired(3, b"{}"))
    core.drift = "drifted"
    core.problems.put("drift_watch", "no room")
    core.journal.dropped = 2
    beat = core.heartbeat(0.0)
    assert (beat.generation, beat.drift, beat.at) == (3, "drifted", core.clock())
    assert [problem.partition(":")[0] for problem in beat.problems] == [
        "drift_watch",
        "journal_full",
    ]


def test_cancelling_an_unknown_step_is_answered(tmp_path: Path) -> None:
    """A run must not wait for ever for a host that never heard of it."""
    core = make_core(tmp_path / "state")
    core.on_cancel(Cancel("none", 7))
    (entry,) = core.journal.after(0)
    said = messages.decode_body(entry)
    assert isinstance(said, Finished)
    assert (said.run_id, said.fence, said.outcome) == ("none", 7, "cancelled")


@pytest.mark.hostile
def test_long_lies_are_cut_before_they_are_remembered(tmp_path: Path) -> None:
    """256 texts of a megabyte would fill the memory of a small host."""
    core = make_core(tmp_path / "state")
    for number in range(3):
        core.tell("scope.refused", f"{number}" + "x" * 1_000_000)
    assert max(len(text) for _, text in core._told) <= 1_024
    assert max(len(entry.body) for entry in core.journal.after(0)) < 2_048


def registered(tmp_path: Path, **settings: object) -> Core:
    """A host that belongs to a coordinator, whose secret was used."""
    core = make_core(tmp_path / "state", **settings)
    core.trust.enrol(enrolling.pins_of(KEY))
    core.trust.welcome(Welcome("n", "approved", 0, 1, 0.0, "a/b/c"))
    return core


def test_a_registered_host_starts_without_the_key_file_it_was_enrolled_with(tmp_path: Path) -> None:
    """Whoever removes the secret after its use does right, and must not switch the host off."""
    core = registered(tmp_path, enrolment_key_file=str(tmp_path / "removed"))
    assert not core.enrol_from_config()
    assert core.heartbeat(0.0).problems == ()


def test_a_key_left_for_another_coordinator_is_told_and_not_taken(tmp_path: Path) -> None:
    """A host does not stay down for a key that it does not need."""
    core = registered(tmp_path)
    other = msgspec.structs.replace(enrolment.decode(KEY), coordinator_key="ef" * 32)
    enrolling.leave(tmp_path / "state", enrolment.encode(other))
    assert not core.enrol_from_config()
    assert core.heartbeat(0.0).problems[0].startswith("enrolment: this host belongs to")


def test_a_job_that_hangs_is_said(tmp_path: Path) -> None:
    """A look at a dead network file system cannot be ended, so it must at least be seen."""
    core = make_core(tmp_path / "state")
    core.thread._since = 100.0
    assert core.heartbeat(100.0 + BUSY_SECONDS).problems == ()
    assert core.heartbeat(101.0 + BUSY_SECONDS).problems[0].startswith("engine_busy")
    core.thread._since = None
    assert core.heartbeat(9_999.0).problems == ()


def test_no_key_enrols_nobody(tmp_path: Path) -> None:
    """Without an enrolment key the host waits."""
    core = make_core(tmp_path / "state")
    assert not core.enrol_from_config()
    assert core.trust.pins is None


def test_what_operators_signed_is_taken_in_and_what_they_did_not_is_told(tmp_path: Path) -> None:
    """Statements and revocations of strangers are refused aloud, and before a roster kept away."""
    core = make_core(tmp_path / "state")
    ada, eve = Operator(), Operator(username="eve")
    back = Revocation(1, "01JZ0000000000000000000001", "a/b/c", 1_000)
    own = core.identity
    about = NodeStatement(1, 1, own.node_id, own.key.public.hex(), "web1", "a/b/c", {}, 1_000)

    def sign(kind: str, payload: bytes, who: Operator) -> dsse.Envelope:
        return dsse.sign(kind, payload, who.key, who.id)

    by_ada = RevocationUpdate((sign(dsse.REVOCATION, revocations.encode(back), ada),))
    core.on_signed(by_ada)
    assert not core.database.read(lambda tx: ledger.is_revoked(tx, back.decision_id))
    core.on_signed(RosterUpdate((first_roster(ada),)))
    for who in (eve, ada):
        core.on_signed(StatementUpdate(sign(dsse.NODE, node_statement.encode(about), who)))
        payload = revocations.encode(back)
        core.on_signed(RevocationUpdate((sign(dsse.REVOCATION, payload, who),)))
        assert (core.trust.statement == about) is (who is ada)
        known = core.database.read(lambda tx: ledger.is_revoked(tx, back.decision_id))
        assert known is (who is ada)
    assert [(a.event, a.reason) for a in audits(core)] == [
        ("statement.refused", "signer_unknown"),
        ("revocation.refused", "signer_unknown"),
    ]
    core.database.read(lambda tx: tx.execute("PRAGMA query_only=ON"))
    later = msgspec.structs.replace(about, version=2)
    core.on_signed(StatementUpdate(sign(dsse.NODE, node_statement.encode(later), ada)))
    other = msgspec.structs.replace(back, decision_id="01JZ0000000000000000000002")
    core.on_signed(RevocationUpdate((sign(dsse.REVOCATION, revocations.encode(other), ada),)))
    assert core.trust.statement == about


def test_revocations_beyond_what_is_kept_are_told(tmp_path: Path) -> None:
    """Full means refuse, visibly."""
    core = make_core(tmp_path / "state")
    ada = Operator()
    core.on_signed(RosterUpdate((first_roster(ada),)))
    rows = [(str(number), 10**12) for number in range(ledger.MAX_REVOKED)]
    core.database.write(lambda tx: tx.executemany("INSERT INTO revoked VALUES (?, ?)", rows))
    back = Revocation(1, "01JZ0000000000000000000001", "a/b/c", 1_000)
    envelope = dsse.sign(dsse.REVOCATION, revocations.encode(back), ada.key, ada.id)
    core.on_signed(RevocationUpdate((envelope,)))
    assert [a.reason for a in audits(core)] == ["revocation_invalid"]
