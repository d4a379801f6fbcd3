from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import run_decisions, tags
from coordinator.domain.refusals import Refusal
from coordinator.store import decisions as stored
from protocol import api, dsse
from protocol.decisions import Verdict
from protocol.reasons import Reason
from protocol.roster import ApprovalRule, Grant
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


TEAM = tuple(people.person(number, "admin" if number == 1 else "operator") for number in (1, 2, 3))


def co_signed(envelope: dsse.Envelope, number: int) -> dsse.Envelope:
    """The same decision with one more signature over the same bytes."""
    return dsse.add_signature(envelope, people.key(number), people.keyid(number))


@pytest.fixture
def strict(fleet: Fleet, run: api.Run) -> api.Run:
    """A run that waits for two operators besides the one who asks."""
    fleet.adopt(operators=TEAM, approvals={"*": ApprovalRule(2, requester_excluded=True)})
    return run


def test_signatures_come_in_one_by_one(fleet: Fleet, strict: api.Run) -> None:
    """The run waits until two have signed besides the requester, who signs as well."""
    first = fleet.decision(strict)
    waits = give(fleet, strict, first)
    assert isinstance(waits, api.Run)
    assert (waits.phase, waits.decision) == ("waiting_approval", first)
    # Each brings the signature alone that is their own: the coordinator puts them together.
    second = msgspec.structs.replace(first, signatures=co_signed(first, 2).signatures[1:])
    waits = give(fleet, strict, second)
    assert isinstance(waits, api.Run)
    assert waits.phase == "waiting_approval"
    again = give(fleet, strict, second)
    assert isinstance(again, api.Run)
    assert again.decision == waits.decision
    assert waits.decision is not None
    done = give(fleet, strict, co_signed(waits.decision, 3))
    assert isinstance(done, api.Run)
    assert done.phase == "queued"
    kept = fleet.store.read_now(lambda tx: stored.get(tx, people.ULID))
    assert kept is not None
    assert kept.signers == tuple(people.keyid(number) for number in (1, 2, 3))


def test_two_without_the_requester_are_not_enough(fleet: Fleet, strict: api.Run) -> None:
    """Who asked has to say so: else the rule would exclude nobody."""
    decision = fleet.decision(strict, number=2, requested_by=people.keyid(1))
    waits = give(fleet, strict, co_signed(decision, 3))
    assert isinstance(waits, api.Run)
    assert waits.phase == "waiting_approval"


def test_a_second_decision_does_not_split_the_signatures(fleet: Fleet, strict: api.Run) -> None:
    """While one collects, another is refused; once that one has ended, it may begin."""
    give(fleet, strict, fleet.decision(strict))
    other = "01JZ0000000000000000000002"
    outcome = give(fleet, strict, fleet.decision(strict, number=2, decision_id=other))
    assert isinstance(outcome, Refusal)
    assert outcome.code == "decision_open"
    fleet.clock.now += 3_601
    late = give(fleet, strict, fleet.decision(strict, number=2, decision_id=other))
    assert isinstance(late, api.Run)
    assert late.decision is not None
    assert late.decision.signatures[0].keyid == people.keyid(2)


def test_one_no_ends_a_run_that_several_have_to_approve(fleet: Fleet, strict: api.Run) -> None:
    """Stopping is safe: it takes no quorum."""
    give(fleet, strict, fleet.decision(strict))
    no = fleet.decision(strict, number=2, verdict="deny", decision_id="01JZ0000000000000000000002")
    after = give(fleet, strict, no)
    assert isinstance(after, api.Run)
    assert after.phase == "denied"


@pytest.mark.parametrize("number", [4, 99])
def test_what_does_not_hold_adds_nothing(fleet: Fleet, strict: api.Run, number: int) -> None:
    """A stranger's signature, or one over other bytes, is not kept on the decision."""
    first = fleet.decision(strict)
    give(fleet, strict, first)
    forged = dsse.Signature(people.keyid(2), first.signatures[0].sig)
    mixed = msgspec.structs.replace(
        first, signatures=(*co_signed(first, number).signatures, forged)
    )
    waits = give(fleet, strict, mixed)
    assert isinstance(waits, api.Run)
    assert waits.decision == first


def test_a_grant_that_asks_signed_tags_misses_a_host_without_them(
    fleet: Fleet, host: FakeHost, run: api.Run
) -> None:
    """The tags that the coordinator sets open nothing; those that operators signed do."""
    limited = msgspec.structs.replace(TEAM[1], grants=(Grant(selector="role=web"),))
    fleet.adopt(operators=(TEAM[0], limited, TEAM[2]))
    decision = fleet.decision(run, number=2)
    fleet.store.write_now(
        lambda tx: tags.replace(tx, OPERATOR, host.node_id, {"role": "web"}, None)
    )
    refused = give(fleet, run, decision)
    assert isinstance(refused, Refusal)
    assert refused.code == Reason.GRANT_MISSING
    fleet.vouch(host, {"role": "web"})
    after = give(fleet, run, decision)
    assert isinstance(after, api.Run)
    assert after.phase == "queued"
