from __future__ import annotations

import pytest

from coordinator.domain import run_decisions, runs
from coordinator.domain.refusals import Refusal
from coordinator.domain.run_plans import APPLY_SECONDS, READ_SECONDS
from coordinator.store.database import Tx
from protocol import api, decisions
from protocol.messages import ArtifactChunk, Finished
from protocol.reports import PlanResult, PlanSummary
from tests.fakes.fleet import OPERATOR, Fleet


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def refused(fleet: Fleet, request: api.RunRequest) -> Refusal:
    outcome = fleet.store.write_now(lambda tx: runs.create_run(tx, OPERATOR, request))
    assert isinstance(outcome, Refusal)
    return outcome


def sweep(tx: Tx) -> int:
    """What the coordinator's pulse does."""
    return runs.sweep(tx, runs.due(tx))


def test_a_plan_run_ends_with_the_plans_of_its_hosts(fleet: Fleet) -> None:
    """Each step carries its host's plan as result, and the run is completed."""
    host = fleet.add(10)
    run = fleet.planned(host)
    assert run.phase == "completed"
    assert run.steps[0].name == "host10"
    assert isinstance(run.steps[0].result, dict)
    assert run.steps[0].result["node_id"] == host.node_id


def test_an_apply_of_a_plan_binds_what_the_client_computes(fleet: Fleet) -> None:
    """Root and action hash follow from the plans alone, so that a client can recompute them."""
    hosts = [fleet.add(10), fleet.add(11)]
    apply = fleet.apply_of(fleet.planned(*hosts))
    assert apply.phase == "waiting_approval"
    root, proofs = decisions.plan_tree({s.node_id: s.plan_digest for s in apply.steps})
    assert apply.plan_root == root
    assert apply.action_hash == decisions.canonical_hash(decisions.apply_action(root, 0))
    assert {step.node_id: step.plan_proof for step in apply.steps} == proofs


def test_an_apply_without_a_plan_makes_one_first(fleet: Fleet) -> None:
    """It is `planning` until its own plan run is over, and then waits for the signature."""
    host = fleet.add(10)
    apply = fleet.start(api.RunRequest("state.apply", (host.node_id,), modules=("site",)))
    assert apply.phase == "planning"
    offer = fleet.one_offer(host)
    assert (offer.step, offer.run_id) == ("state.plan", apply.plan_run_id)
    plan = host.plan("/srv/a")
    fleet.deliver(host, host.result(offer, plan, digest=plan.digest))
    assert fleet.run(apply.run_id).phase == "waiting_approval"
    assert fleet.take(host).offers == ()


def test_a_plan_without_changes_completes_the_apply_at_once(fleet: Fleet) -> None:
    """Nobody is asked to sign for nothing."""
    host = fleet.add(10)
    apply = fleet.apply_of(fleet.planned(host, items=0))
    assert apply.phase == "completed"
    assert apply.steps[0].message == "nothing to do"


def test_hosts_without_changes_have_no_part_in_an_apply_of_a_plan(fleet: Fleet) -> None:
    """What is signed names only hosts on which something changes."""
    busy, idle = fleet.add(10), fleet.add(11)
    nodes = (busy.node_id, idle.node_id)
    run = fleet.start(api.RunRequest("state.plan", nodes, modules=("site",)))
    for host, names in ((busy, ["/srv/a"]), (idle, [])):
        plan = host.plan(*names)
        fleet.deliver(host, host.result(fleet.one_offer(host), plan, digest=plan.digest))
    apply = fleet.apply_of(run)
    assert [step.node_id for step in apply.steps] == [busy.node_id]


@pytest.mark.parametrize("lie", ["item", "plan", "host"])
def test_a_plan_whose_digests_do_not_hold_is_not_put_up_for_approval(
    fleet: Fleet, lie: str
) -> None:
    """Item digest, plan digest and node must follow from the plan that is shown."""
    host = fleet.add(10)
    apply = fleet.start(api.RunRequest("state.apply", (host.node_id,), modules=("site",)))
    plan = host.plan("/srv/a")
    item = plan.resources[0]
    changed = {
        "item": PlanResult(
            host.node_id,
            ("site",),
            (type(item)("site", "file-unix", "/etc/x", "create", digest=item.digest),),
            PlanSummary(),
            plan.digest,
        ),
        "plan": PlanResult(host.node_id, ("site",), plan.resources, PlanSummary(), "0" * 64),
        "host": PlanResult("other", ("site",), plan.resources, PlanSummary(), plan.digest),
    }[lie]
    fleet.deliver(host, host.result(fleet.one_offer(host), changed, digest=plan.digest))
    failed = fleet.run(apply.run_id)
    assert failed.phase == "failed"
    assert failed.action_hash is None


def test_an_approved_apply_is_offered_with_everything_the_host_checks(fleet: Fleet) -> None:
    """Decision, items, proof and guard let the host rebuild the very action that was signed."""
    host = fleet.add(10)
    fleet.add(11)
    apply = fleet.apply_of(fleet.planned(host))
    envelope = fleet.decision(apply)
    after = fleet.store.write_now(
        lambda tx: run_decisions.add_decision(tx, OPERATOR, apply.run_id, envelope)
    )
    assert isinstance(after, api.Run)
    assert (after.phase, after.decision) == ("queued", envelope)
    offer = fleet.one_offer(host)
    assert offer.decision == envelope
    assert offer.proof is not None
    assert decisions.plan_proof_holds(offer.proof, host.node_id, apply.steps[0].plan_digest)
    action = decisions.apply_action(offer.proof.root, offer.removal_limit)
    assert decisions.canonical_hash(action) == apply.action_hash
    fleet.deliver(host, host.result(offer, None))
    assert fleet.run(apply.run_id).phase == "completed"


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (api.RunRequest("state.plan"), "bad_request"),
        (api.RunRequest("state.plan", ("x",), selector="*"), "bad_request"),
        (api.RunRequest("state.plan", ("x",)), "not_found"),
        (api.RunRequest("state.plan", selector="nothing=here"), "bad_request"),
        (api.RunRequest("state.plan", selector="((("), "bad_request"),
        (api.RunRequest("state.apply", plan_run_id="x"), "not_found"),
    ],
)
def test_a_wrong_request_is_refused(fleet: Fleet, request_: api.RunRequest, kind: str) -> None:
    """No run is made, and the refusal says which field is wrong."""
    fleet.add(10)
    assert refused(fleet, request_).kind == kind
    assert fleet.store.read_now(lambda tx: runs.list_runs(tx, limit=10)) == ((), 0)


def test_unknown_modules_and_unapproved_hosts_are_refused(fleet: Fleet) -> None:
    """Work is for approved hosts and modules that exist."""
    pending = fleet.add(10, approve=False)
    host = fleet.add(11)
    assert refused(fleet, api.RunRequest("state.plan", (pending.node_id,))).code == "not_approved"
    wanted = api.RunRequest("state.plan", (host.node_id,), modules=("none",))
    assert "none" in refused(fleet, wanted).message
    look = api.RunRequest("state.drift", (host.node_id,), modules=("site",))
    assert refused(fleet, look).kind == "bad_request"


def test_a_selector_is_resolved_when_the_run_is_made(fleet: Fleet) -> None:
    """Placement is frozen: a host that is approved later has no part."""
    host = fleet.add(10)
    run = fleet.start(api.RunRequest("state.drift", selector="*"))
    fleet.add(11)
    assert [step.node_id for step in fleet.run(run.run_id).steps] == [host.node_id]


def test_cancelling_what_no_host_holds_ends_the_run(fleet: Fleet) -> None:
    """A run that waits for approval is over at once; a second cancel says so."""
    apply = fleet.apply_of(fleet.planned(fleet.add(10)))
    ended = fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, apply.run_id))
    assert isinstance(ended, api.Run)
    assert ended.phase == "cancelled"
    again = fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, apply.run_id))
    assert isinstance(again, Refusal)


def test_cancelling_what_a_host_holds_waits_for_its_word(fleet: Fleet) -> None:
    """The host is told under the fence that it has, and ends the step itself."""
    host = fleet.add(10)
    run = fleet.start(api.RunRequest("state.drift", (host.node_id,)))
    offer = fleet.one_offer(host)
    fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, run.run_id))
    assert fleet.run(run.run_id).phase in {"queued", "running"}
    (cancel,) = fleet.take(host).cancels
    assert (cancel.run_id, cancel.fence) == (run.run_id, offer.fence)
    fleet.deliver(host, host.say(Finished(run.run_id, offer.fence, "cancelled")))
    assert fleet.run(run.run_id).phase == "cancelled"


def test_time_ends_what_nobody_began(fleet: Fleet) -> None:
    """A plan expires after its deadline, and with it the apply that waited for it."""
    host = fleet.add(10)
    apply = fleet.start(api.RunRequest("state.apply", (host.node_id,), modules=("site",)))
    fleet.clock.now += READ_SECONDS + 1
    assert fleet.store.write_now(sweep) >= 1
    fleet.store.write_now(sweep)
    assert fleet.run(apply.plan_run_id or "").phase == "expired"
    assert fleet.run(apply.run_id).phase == "failed"


def test_time_ends_an_approval_that_never_came(fleet: Fleet) -> None:
    """An apply does not wait for ever."""
    apply = fleet.apply_of(fleet.planned(fleet.add(10)))
    fleet.clock.now += APPLY_SECONDS + 1
    fleet.store.write_now(sweep)
    assert fleet.run(apply.run_id).phase == "expired"


def test_a_result_of_several_chunks_is_put_together(fleet: Fleet) -> None:
    """A plan larger than one chunk arrives whole."""
    host = fleet.add(10)
    run = fleet.start(api.RunRequest("state.plan", (host.node_id,), modules=("site",)))
    plan = host.plan(*(f"/srv/{number:040}" for number in range(1_500)))
    entries = host.result(fleet.one_offer(host), plan, digest=plan.digest)
    assert sum(entry.kind == "artifact" for entry in entries) > 1
    assert ArtifactChunk is not None
    for entry in entries:
        assert fleet.deliver(host, [entry]).fault is None
    assert fleet.apply_of(fleet.run(run.run_id)).phase == "waiting_approval"


def test_runs_that_wait_on_a_host_are_bounded(fleet: Fleet) -> None:
    """One more is refused with the host's name; what is over makes room again."""
    one, two = fleet.add(10), fleet.add(11)
    alone = api.RunRequest("state.drift", (one.node_id,))
    waiting = [fleet.start(alone) for _ in range(runs.MAX_UNFINISHED_OF_NODE)]
    full = refused(fleet, api.RunRequest("state.drift", (two.node_id, one.node_id)))
    assert (full.kind, one.node_id in full.message) == ("conflict", True)
    fleet.start(api.RunRequest("state.drift", (two.node_id,)))
    fleet.store.write_now(lambda tx: runs.cancel(tx, OPERATOR, waiting[0].run_id))
    fleet.start(alone)


def test_a_run_names_a_bounded_number_of_modules(fleet: Fleet) -> None:
    """A list without end is refused before a single name is looked up."""
    names = tuple(f"m{number}" for number in range(runs.MAX_MODULES + 1))
    request = api.RunRequest("state.plan", (fleet.add(10).node_id,), modules=names)
    assert refused(fleet, request).kind == "bad_request"


def test_nothing_is_due_where_nothing_waits(fleet: Fleet) -> None:
    """The pulse leaves the writer alone unless time has made something due."""
    host = fleet.add(10)
    fleet.apply_of(fleet.planned(host))
    assert fleet.store.read_now(runs.due) == ()
    fleet.clock.now += APPLY_SECONDS + 1
    assert len(fleet.store.read_now(runs.due)) == 1
