from __future__ import annotations

import pytest

from coordinator.domain import run_plans
from coordinator.domain.run_plans import BadPlan
from coordinator.store import runs
from coordinator.store.database import Tx
from protocol import api, decisions, reports
from protocol.messages import Finished, RefusedStep
from protocol.reports import PlanResult
from tests.fakes.fleet import FakeHost, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def host(fleet: Fleet) -> FakeHost:
    return fleet.add(10)


def read(fleet: Fleet, run_id: str, node: str) -> PlanResult | BadPlan:
    def job(tx: Tx) -> PlanResult | BadPlan:
        run = runs.get(tx, run_id)
        assert run is not None
        return run_plans.read_plan(tx, run, node)

    return fleet.store.read_now(job)


def test_a_plan_is_read_as_the_host_sent_it(fleet: Fleet, host: FakeHost) -> None:
    """Its items are what an approval binds, sorted."""
    plan = read(fleet, fleet.planned(host).run_id, host.node_id)
    assert isinstance(plan, PlanResult)
    items = run_plans.approved_items(plan)
    assert list(items) == sorted(item.digest for item in plan.resources)


def test_what_is_no_plan_says_why(fleet: Fleet, host: FakeHost) -> None:
    """Not there yet, refused by the host, not part of the run."""
    run = fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=("site",)))
    early = read(fleet, run.run_id, host.node_id)
    assert isinstance(early, BadPlan)
    assert "pending" in early.detail
    fleet.one_offer(host)
    fleet.deliver(host, host.say(RefusedStep(run.run_id, 1, "module_invalid", "line 3")))
    late = read(fleet, run.run_id, host.node_id)
    assert isinstance(late, BadPlan)
    assert (late.reason.value, "line 3" in late.detail) == ("module_invalid", True)
    assert isinstance(read(fleet, run.run_id, "stranger"), BadPlan)


def test_a_failed_plan_fails_the_apply_that_waited(fleet: Fleet, host: FakeHost) -> None:
    """With the host's own words, and nothing to sign."""
    apply = fleet.start(api.RunRequest("state.apply", (host.node_id,), modules=("site",)))
    fleet.one_offer(host)
    plan_id = apply.plan_run_id or ""
    fleet.deliver(host, host.say(Finished(plan_id, 1, "failed", message="no such user")))
    failed = fleet.run(apply.run_id)
    assert (failed.phase, failed.action_hash) == ("failed", None)


def test_the_fleet_plan_is_the_tree_over_the_hosts_plans() -> None:
    """Another guard is another action, though the plans are the same."""
    plans = {f"n{n}": FakeHost(10 + n).plan("/a") for n in range(3)}
    one, two = run_plans.fleet_plan(plans, 0), run_plans.fleet_plan(plans, 1)
    digests = {node: reports.plan_digest(plan.resources) for node, plan in plans.items()}
    assert one.root == two.root == decisions.plan_tree(digests)[0]
    assert one.action_hash != two.action_hash
