from __future__ import annotations

import pytest

from coordinator.domain import run_decisions
from coordinator.domain.refusals import Refusal
from coordinator.store import decisions as stored
from protocol import api, dsse
from protocol.decisions import Verdict
from protocol.reasons import Reason
from tests.fakes import people
from tests.fakes.fleet import OPERATOR, FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


@pytest.fixture
def run(fleet: Fleet, host: FakeHost) -> api.Run:
    return fleet.apply_of(fleet.planned(host))


def give(fleet: Fleet, run: api.Run, envelope: dsse.Envelope) -> api.Run | Refusal:
    return fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, run.run_id, envelope)
    )


@pytest.mark.parametrize(("verdict", "phase"), [("approve", "queued"), ("deny", "denied")])
def test_a_decision_that_holds_moves_the_run(
    fleet: Fleet, run: api.Run, verdict: Verdict, phase: str
) -> None:
    """Yes lets the work be offered, no ends it; both are kept with who signed."""
    after = give(fleet, run, fleet.decision(run, verdict=verdict))
    assert isinstance(after, api.Run)
    assert after.phase == phase
    kept = fleet.store.read_now(lambda tx: stored.get(tx, people.ULID))
    assert kept is not None
    assert (kept.verdict, kept.signers) == (verdict, (people.keyid(1),))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"action_hash": "0" * 64}, Reason.ACTION_MISMATCH),
        ({"scope": "other/x/y"}, Reason.SCOPE_MISMATCH),
        ({"nodes": (people.NODE,)}, Reason.NODE_NOT_NAMED),
        ({"capability": "command.run"}, Reason.CAPABILITY_MISMATCH),
        ({"not_before": 1_000, "expires_at": 2_000}, Reason.EXPIRED),
        ({"not_before": 1_900_000_000, "expires_at": 1_900_000_100}, Reason.NOT_YET_VALID),
        ({"verdict": "deny", "action_hash": "0" * 64}, Reason.ACTION_MISMATCH),
    ],
)
def test_a_decision_over_something_else_is_refused(
    fleet: Fleet, run: api.Run, changes: dict[str, object], reason: Reason
) -> None:
    """Each wrong field has its reason, and the run waits as before."""
    outcome = give(fleet, run, fleet.decision(run, **changes))
    assert isinstance(outcome, Refusal)
    assert outcome.code == reason
    assert fleet.run(run.run_id).phase == "waiting_approval"


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_a_stranger_decides_nothing(fleet: Fleet, run: api.Run, verdict: Verdict) -> None:
    """A signature of a key outside the roster counts neither for yes nor for no."""
    outcome = give(fleet, run, fleet.decision(run, verdict=verdict, number=99))
    assert isinstance(outcome, Refusal)
    assert outcome.code == Reason.SIGNER_UNKNOWN


def test_the_same_decision_again_gives_the_same_answer(fleet: Fleet, run: api.Run) -> None:
    """A client that lost the answer may ask again, whatever became of the run meanwhile."""
    envelope = fleet.decision(run)
    give(fleet, run, envelope)
    again = give(fleet, run, envelope)
    assert isinstance(again, api.Run)
    assert again.phase == "queued"


def test_a_decision_is_for_one_run(fleet: Fleet, host: FakeHost, run: api.Run) -> None:
    """The id of a decision that was taken is refused for every other run."""
    second = fleet.apply_of(fleet.planned(host))
    give(fleet, run, fleet.decision(run))
    outcome = give(fleet, second, fleet.decision(second))
    assert isinstance(outcome, Refusal)
    assert outcome.code == Reason.REPLAYED


def test_a_run_that_waits_for_nothing_takes_no_decision(fleet: Fleet, run: api.Run) -> None:
    """A second yes, or a no after the yes, comes too late."""
    give(fleet, run, fleet.decision(run))
    other = "01JZ0000000000000000000002"
    outcome = give(fleet, run, fleet.decision(run, verdict="deny", decision_id=other))
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "conflict"
    assert fleet.run(run.run_id).phase == "queued"


def test_an_unknown_run_is_not_found(fleet: Fleet, run: api.Run) -> None:
    """The answer names the run."""
    outcome = fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, "no", fleet.decision(run))
    )
    assert isinstance(outcome, Refusal)
    assert outcome.kind == "not_found"
