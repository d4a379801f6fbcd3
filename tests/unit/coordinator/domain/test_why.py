from __future__ import annotations

import pytest

from coordinator.domain import why
from coordinator.domain.refusals import Refusal
from coordinator.store import presence
from coordinator.store.database import Tx
from protocol import api, api_why
from protocol.messages import Audit, Finished, RefusedStep
from protocol.reasons import EXPLAIN, Reason
from tests.fakes.fleet import FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


def lines(fleet: Fleet, host: FakeHost) -> dict[str, api_why.WhyLine]:
    answer = fleet.store.read_now(lambda tx: why.why(tx, host.node_id))
    assert isinstance(answer, api_why.Why)
    times = [line.at for line in answer.lines]
    assert times == sorted(times, reverse=True)
    return {line.code: line for line in answer.lines}


def test_a_refusal_is_explained(fleet: Fleet, host: FakeHost) -> None:
    """Code, meaning, the host's detail, what helps, and which run it was."""
    run = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    fleet.one_offer(host)
    fleet.deliver(host, host.say(RefusedStep(run.run_id, 1, "plan_changed", "3 items")))
    line = lines(fleet, host)["plan_changed"]
    assert line.meaning == EXPLAIN[Reason.PLAN_CHANGED].meaning
    assert (line.detail, line.run_id) == ("3 items", run.run_id)
    assert "host10" in line.next


def test_standing_problems_are_there_while_they_stand(fleet: Fleet, host: FakeHost) -> None:
    """Not connected, not approved, and what the host's heartbeat says."""
    pending = fleet.add(11, approve=False)
    assert {"not_approved", "not_connected"} <= set(lines(fleet, pending))
    assert set(lines(fleet, host)) == {"not_connected"}

    def connect(tx: Tx) -> None:
        presence.connect(
            tx, host.node_id, session="s", peer="p", hostname="h", agent_version="1",
            roster_version=1,
        )  # fmt: skip
        presence.seen(tx, host.node_id, drift=None, problems=("disk_full: /var",))

    fleet.store.write_now(connect)
    found = lines(fleet, host)
    assert set(found) == {"problem"}
    assert found["problem"].detail == "disk_full: /var"
    assert found["problem"].meaning == EXPLAIN[Reason.DISK_FULL].meaning


def test_failures_and_the_hosts_own_words_are_there(fleet: Fleet, host: FakeHost) -> None:
    """With a reason where the host gives one."""
    run = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    fleet.one_offer(host)
    fleet.deliver(
        host,
        host.say(
            Finished(run.run_id, 1, "failed", message="no disk"),
            Audit("roster", "an older roster came", "roster_rollback", "critical"),
        ),
    )
    found = lines(fleet, host)
    assert run.run_id in found["step.failed"].next
    assert found["roster_rollback"].severity == "critical"


def test_codes_that_nobody_knows_do_no_harm(fleet: Fleet, host: FakeHost) -> None:
    """A newer agent's reason is shown as it is."""
    run = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    fleet.one_offer(host)
    fleet.deliver(host, host.say(RefusedStep(run.run_id, 1, "moon_phase", "full")))
    assert lines(fleet, host)["moon_phase"].detail == "full"


def test_an_unknown_host_is_not_found(fleet: Fleet) -> None:
    """And not an empty answer."""
    assert isinstance(fleet.store.read_now(lambda tx: why.why(tx, "x")), Refusal)
