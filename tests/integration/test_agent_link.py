"""The agent's services against a coordinator over a real WebSocket, in one process."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from protocol import messages
from protocol.keys import SigningKey
from protocol.messages import Accepted, Drift, Finished, Offer, Progress, Started
from protocol.reports import ApplyResult, PlanResult
from tests.fakes.agent import NOW, make_core, running
from tests.fakes.coordinator import FakeCoordinator
from tests.fakes.operators import Approval, Operator, first_roster, module
from tests.fakes.sites import site

pytestmark = pytest.mark.integration
ADA = Operator()


def plan_offer(*modules: messages.ModuleVersion, run_id: str = "plan-1") -> Offer:
    return Offer(run_id, "state.plan", "lease-p", 1, f"op-{run_id}", modules)


async def planned(coordinator: FakeCoordinator, offer: Offer) -> PlanResult:
    await coordinator.send(offer)
    await coordinator.until(
        lambda: any(f.run_id == offer.run_id for f in coordinator.bodies(Finished))
    )
    found = next(f for f in coordinator.bodies(Finished) if f.run_id == offer.run_id)
    assert found.outcome == "succeeded", found
    assert found.artifact is not None
    return msgspec.json.decode(coordinator.document(found.artifact), type=PlanResult)


async def test_a_host_plans_applies_what_was_approved_and_sees_drift(tmp_path: Path) -> None:
    """The whole life of one change: plan, decision, apply, a signed journal, drift, repair."""
    coordinator = FakeCoordinator(SigningKey.generate(), [first_roster(ADA)])
    core = make_core(tmp_path / "state")
    version = module("site", site(tmp_path), ADA)
    async with coordinator.running(), running(core, coordinator):
        assert coordinator.secrets == [coordinator.secret]
        plan = await planned(coordinator, plan_offer(version))
        assert [item.action for item in plan.resources] == ["create", "create"]
        assert not (tmp_path / "srv").exists()
        digests = tuple(item.digest for item in plan.resources)
        approval = Approval(core.identity.node_id, (version,), digests, NOW)
        await coordinator.send(approval.signed(ADA))
        await coordinator.until(lambda: len(coordinator.bodies(Finished)) == 2)
        done = coordinator.bodies(Finished)[1]
        assert done.outcome == "succeeded", done
        assert (tmp_path / "srv/index.html").read_text() == "hello"
        assert done.artifact is not None
        result = msgspec.json.decode(coordinator.document(done.artifact), type=ApplyResult)
        assert [item.status for item in result.resources] == ["changed", "changed"]
        kinds = [e.kind for _, e in sorted(coordinator.entries.items())]
        assert kinds.count("progress") == 2
        assert kinds.index("accepted") < kinds.index("started") < kinds.index("finished")
        assert coordinator.bodies(Accepted)[1].signers == (ADA.id,)
        assert [s.run_id for s in coordinator.bodies(Started)] == ["plan-1", "run-1"]
        assert len(coordinator.bodies(Progress)) == 2
        assert not coordinator.bodies(Drift)
        (tmp_path / "srv/index.html").write_text("changed by hand")
        await coordinator.until(lambda: len(coordinator.bodies(Drift)) == 1)
        record = coordinator.bodies(Drift)[0].record
        assert (record.status, record.source) == ("drifted", "event")
        assert [item.identity for item in record.resources] == [f"{tmp_path}/srv/index.html"]
        assert coordinator.chain_holds(core.identity.key.public)
