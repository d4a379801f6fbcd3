from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import state, why
from coordinator.store import artifacts, events, presence
from coordinator.store.database import Tx
from protocol import api, api_why
from protocol.messages import (
    Accepted,
    ArtifactChunk,
    Audit,
    Drift,
    Finished,
    RefusedStep,
    Started,
    StepOutcome,
)
from protocol.reports import ApplyResult, Author, DriftRecord, MachineState, ResourceDiff
from protocol.runs import LEASE_SECONDS
from tests.fakes.fleet import FakeHost, Fleet, chunks


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


def told(fleet: Fleet, host: FakeHost) -> list[events.Event]:
    return list(fleet.store.read_now(lambda tx: events.latest(tx, target=host.node_id)))


def look(fleet: Fleet, host: FakeHost) -> api.Run:
    return fleet.start(api.RunRequest("state.drift", (host.node_id,)))


def test_a_step_follows_its_hosts_words(fleet: Fleet, host: FakeHost) -> None:
    """Accepted, running, done: each as the host says it."""
    run = look(fleet, host)
    fence = fleet.one_offer(host).fence
    for body, phase in (
        (Accepted(run.run_id, fence), "accepted"),
        (Started(run.run_id, fence), "running"),
        (Finished(run.run_id, fence, "failed", message="no"), "failed"),
    ):
        fleet.deliver(host, host.say(body))
        assert fleet.run(run.run_id).steps[0].phase == phase
    assert fleet.run(run.run_id).phase == "failed"


def test_a_refusal_carries_its_reason(fleet: Fleet, host: FakeHost) -> None:
    """The step shows the code that the host gave."""
    run = look(fleet, host)
    fleet.one_offer(host)
    fleet.deliver(host, host.say(RefusedStep(run.run_id, 1, "busy", "8 steps wait")))
    step = fleet.run(run.run_id).steps[0]
    assert (step.phase, step.reason, step.message) == ("refused", "busy", "8 steps wait")


def test_a_report_under_an_old_fence_is_kept_and_changes_nothing(
    fleet: Fleet, host: FakeHost
) -> None:
    """Once the host has used a newer fence, older ones are only history."""
    run = look(fleet, host)
    fleet.one_offer(host)
    fleet.clock.now += LEASE_SECONDS
    assert fleet.one_offer(host).fence == 2
    fleet.deliver(host, host.say(Accepted(run.run_id, 2)))
    before = fleet.run(run.run_id)
    intake = fleet.deliver(host, host.say(Finished(run.run_id, 1, "succeeded")))
    assert (intake.acked, intake.fault) == (2, None)
    assert fleet.run(run.run_id) == before


@pytest.mark.parametrize("fence", [0, -1, 2, 2**60])
def test_a_fence_that_was_never_offered_changes_nothing(
    fleet: Fleet, host: FakeHost, fence: int
) -> None:
    """A host cannot be ahead of the coordinator."""
    run = look(fleet, host)
    fleet.one_offer(host)
    before = fleet.run(run.run_id)
    fleet.deliver(host, host.say(Finished(run.run_id, fence, "succeeded")))
    assert fleet.run(run.run_id) == before


def test_what_is_over_stays_over(fleet: Fleet, host: FakeHost) -> None:
    """A second outcome of the same step changes nothing."""
    run = look(fleet, host)
    fleet.one_offer(host)
    fleet.deliver(host, host.say(Finished(run.run_id, 1, "failed")))
    fleet.deliver(host, host.say(Finished(run.run_id, 1, "succeeded")))
    assert fleet.run(run.run_id).phase == "failed"


def test_drift_is_told_when_it_comes_and_when_it_goes(fleet: Fleet, host: FakeHost) -> None:
    """Two looks that find the same thing are two records; gone drift is told once."""
    statuses = ["in_sync", "drifted", "in_sync", "in_sync"]
    for number, status in enumerate(statuses):
        record = DriftRecord(f"d{number}", host.node_id, "event", float(number), "in_sync")
        fleet.deliver(host, host.say(Drift(msgspec.structs.replace(record, status=status))))
    kinds = [event.type for event in told(fleet, host) if event.type.startswith("drift")]
    assert kinds == ["drift.cleared", "drift.detected"]


def test_drift_is_told_by_whom_and_shown_on_both_axes(fleet: Fleet, host: FakeHost) -> None:
    """The event names who made the change; what is pending beside it is no drift of its own."""
    item = ResourceDiff("web", "file-unix", "/etc/a", "update", changed_by=Author(7, "/bin/sed"))
    wanted = ResourceDiff("web", "file-unix", "/etc/b", "create")
    first = DriftRecord("d1", host.node_id, "event", 1.0, "drifted", resources=(item,))
    second = msgspec.structs.replace(first, drift_id="d2", checked_at=2.0, pending=(wanted,))
    for record in (first, second):
        fleet.deliver(host, host.say(Drift(record)))
    (event,) = [event for event in told(fleet, host) if event.type.startswith("drift")]
    assert event.summary == "1 resource drifted: /etc/a by /bin/sed (pid 7)"
    shown = fleet.store.read_now(lambda tx: state.machine_state(tx, host.node_id))
    assert isinstance(shown, MachineState)
    assert (shown.drifted, shown.pending) == ((item,), (wanted,))


def test_a_hosts_drift_shows_at_once_and_not_with_the_next_heartbeat(
    fleet: Fleet, host: FakeHost
) -> None:
    """The list of agents says what the newest record says."""

    def connect(tx: Tx) -> None:
        presence.connect(
            tx,
            host.node_id,
            session="s",
            peer="p",
            hostname="h",
            agent_version="0",
            roster_version=1,
        )

    fleet.store.write_now(connect)
    for status in ("drifted", "in_sync"):
        record = DriftRecord(status, host.node_id, "event", 1.0, status)
        fleet.deliver(host, host.say(Drift(record)))
        seen = fleet.store.read_now(lambda tx: presence.get(tx, host.node_id))
        assert seen is not None
        assert seen.drift == status


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_step_that_left_something_out_says_why_once(
    fleet: Fleet, host: FakeHost, outcome: StepOutcome
) -> None:
    """The reason stands in the step and in one line of `why`, though the plan succeeded."""
    run = fleet.start(api.RunRequest("state.plan", (host.node_id,)))
    fence = fleet.one_offer(host).fence
    said = Finished(run.run_id, fence, outcome, message="checks of m", reason="module_unsigned")
    fleet.deliver(host, host.say(said))
    assert fleet.run(run.run_id).steps[0].reason == "module_unsigned"
    shown = fleet.store.read_now(lambda tx: why.why(tx, host.node_id))
    assert isinstance(shown, api_why.Why)
    codes = [line.code for line in shown.lines if line.run_id == run.run_id]
    assert codes == ["module_unsigned"]


def test_a_drift_record_of_another_host_is_not_kept(fleet: Fleet, host: FakeHost) -> None:
    """A host speaks for itself only, and the attempt is told."""
    other = fleet.add(11)
    record = DriftRecord("d1", other.node_id, "event", 1.0, "drifted")
    fleet.deliver(host, host.say(Drift(record)))
    assert told(fleet, host)[0].type == "agent.report_rejected"
    assert "drift.detected" not in [event.type for event in told(fleet, other)]


def test_a_hosts_audit_lines_cannot_pass_for_ours(fleet: Fleet, host: FakeHost) -> None:
    """Whatever a host calls its event, the log shows that the host said it."""
    names = ["operator.removed", "Run\n completed", "", "x" * 500]
    fleet.deliver(host, host.say(*(Audit(name, "text") for name in names)))
    kinds = [event.type for event in told(fleet, host)][:4]
    assert kinds == ["host.audit", "host.audit", "host.audit", "host.operator.removed"]


def test_the_state_of_a_machine_is_that_of_its_last_apply(fleet: Fleet, host: FakeHost) -> None:
    """An apply result that brings a state is what the machine is believed to hold."""
    from coordinator.domain import operations, run_decisions, state
    from tests.fakes.fleet import OPERATOR

    apply = fleet.apply_of(fleet.planned(host))
    envelope = fleet.decision(apply)
    fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, apply.run_id, envelope)
    )
    offer = fleet.one_offer(host)
    from protocol.reports import AppliedSummary

    held = MachineState((AppliedSummary("site", "file-unix", "/srv/0"),))
    result = ApplyResult(
        offer.operation_id, host.node_id, ("site",), "succeeded", 1.5, 2.5, state=held
    )
    fleet.deliver(host, host.result(offer, result))
    assert fleet.store.read_now(lambda tx: state.machine_state(tx, host.node_id)) == held
    shown = fleet.store.read_now(lambda tx: operations.get(tx, offer.operation_id))
    assert isinstance(shown, api.Operation)
    assert shown.status == "succeeded"


def test_a_damaged_artifact_is_told_and_not_kept(fleet: Fleet, host: FakeHost) -> None:
    """Bytes that do not have the digest that names them are dropped."""
    (good,) = chunks(b"hello", "plan")
    bad = ArtifactChunk(good.sha256, "plan", 0, 5, b"jello")
    fleet.deliver(host, host.say(bad))
    assert told(fleet, host)[0].type == "agent.artifact_dropped"
    assert fleet.store.read_now(lambda tx: artifacts.find(tx, good.sha256)) is None


def test_a_report_on_another_hosts_run_is_rejected(fleet: Fleet, host: FakeHost) -> None:
    """A stolen agent cannot finish the work of another one."""
    thief = fleet.add(11)
    run = look(fleet, host)
    fleet.one_offer(host)
    fleet.deliver(thief, thief.say(Finished(run.run_id, 1, "succeeded")))
    assert fleet.run(run.run_id).steps[0].phase == "offered"
    assert told(fleet, thief)[0].type == "agent.report_rejected"
