"""The parts together: what is refused is told, once, and heartbeats say what is wrong."""

from __future__ import annotations

from pathlib import Path

from protocol import messages
from protocol.messages import Audit, Cancel, Desired, RosterUpdate
from tests.fakes.agent import make_core
from tests.fakes.operators import Operator, first_roster


def audits(core: object) -> list[Audit]:
    from agent.core import Core

    assert isinstance(core, Core)
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


def test_cancelling_an_unknown_step_is_harmless(tmp_path: Path) -> None:
    """A late cancel changes nothing."""
    core = make_core(tmp_path / "state")
    core.on_cancel(Cancel("none", 1))
    assert core.journal.head == 0


def test_no_key_enrols_nobody(tmp_path: Path) -> None:
    """Without an enrolment key the host waits."""
    core = make_core(tmp_path / "state")
    assert not core.enrol_from_config()
    assert core.trust.pins is None
