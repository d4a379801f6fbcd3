"""Taking an operation back: what was approved of it, within the host's own policy."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent.core import Core
from agent.step_outcomes import Done
from agent.work import Circumstances, Hooks
from protocol.messages import Offer
from protocol.policy import CapabilityRule
from protocol.reasons import Reason, Refused
from protocol.reports import ApplyResult, PlanResult
from state_engine.engine import progress
from state_engine.engine.progress import Resume
from state_engine.host import switch_file
from state_engine.model import NodeFacts
from state_engine.resources.contract import Risk
from state_engine.resources.file_unix import FileUnix
from state_engine.resources.registry import KINDS
from tests.fakes.agent import make_core
from tests.fakes.operators import Operator, module
from tests.fakes.sites import site

ADA = Operator()


class Host:
    """An engine on real files that has applied one module."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.core: Core = make_core(root / "state")
        self.snapshot = self.core.steps.snapshot()
        self.rule: CapabilityRule | Refused = CapabilityRule()
        self.reached: list[float] = []
        version = module("site", site(root), ADA)
        forth = Offer("r1", "state.plan", "l", 1, "op-1", (version,))
        plan = self.plan(forth)
        done = self.apply(msgspec.structs.replace(forth, step="state.apply"), plan)
        assert done.outcome == "succeeded", done
        assert done.snapshot is not None
        self.snapshot = done.snapshot
        self.back = Offer("r2", "state.plan", "l", 1, "op-2", rollback_of="op-1")

    @property
    def page(self) -> Path:
        return self.root / "srv/index.html"

    def _around(self) -> Circumstances:
        facts = NodeFacts("n", "web", {"platform": "linux"})
        return Circumstances(facts, None, self.snapshot, self.rule)

    def _hooks(self) -> Hooks:
        def reached(seconds: float) -> bool:
            self.reached.append(seconds)
            return True

        return Hooks(begin=_nothing, report=_told, cancelled=lambda: False, reached=reached)

    def plan(self, offer: Offer) -> PlanResult:
        done = self.core.steps.engine.plan(offer, self._around(), self._hooks())
        assert isinstance(done, Done), done
        assert isinstance(done.document, PlanResult)
        return done.document

    def refused(self, offer: Offer) -> Reason:
        engine = self.core.steps.engine
        make = engine.plan if offer.step == "state.plan" else self._apply
        done = make(offer, self._around(), self._hooks())
        assert isinstance(done, Refused), done
        return done.reason

    def apply(self, offer: Offer, plan: PlanResult) -> Done:
        digests = tuple(item.digest for item in plan.resources if item.digest)
        offer = msgspec.structs.replace(offer, step="state.apply", approved=digests)
        done = self._apply(offer, self._around(), self._hooks())
        assert isinstance(done, Done), done
        return done

    def _apply(self, offer: Offer, around: Circumstances, hooks: Hooks) -> Done | Refused:
        return self.core.steps.engine.apply(offer, around, hooks, Resume())


def _nothing() -> None:
    pass


def _told(_: progress.Progress) -> None:
    pass


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_was_approved_is_taken_back_and_the_snapshot_forgets_it(host: Host) -> None:
    """The plan changes nothing; a second time there is nothing left to do."""
    plan = host.plan(host.back)
    assert [item.action for item in plan.resources] == ["remove", "remove"]
    assert host.page.exists()
    done = host.apply(host.back, plan)
    assert (done.outcome, done.digest) == ("succeeded", plan.digest)
    assert not (host.root / "srv").exists()
    assert done.snapshot is not None
    assert (done.snapshot.applied, done.snapshot.operation_id) == ((), "op-2")
    again = host.apply(msgspec.structs.replace(host.back, operation_id="op-3"), plan)
    assert isinstance(again.document, ApplyResult)
    assert {item.status for item in again.document.resources} == {"unchanged"}


def test_nothing_but_what_was_approved_is_done(host: Host) -> None:
    """One digest of two: the other item is stale, and so the step has failed."""
    plan = host.plan(host.back)
    part = msgspec.structs.replace(plan, resources=plan.resources[:1])
    done = host.apply(host.back, part)
    assert (done.outcome, done.reason) == ("failed", Reason.PLAN_CHANGED)
    assert (host.root / "srv").is_dir()
    assert not host.page.exists()


def test_what_changed_between_the_plan_and_the_apply_is_left(host: Host) -> None:
    """It is refused with its path, as is all that depends on it."""
    plan = host.plan(host.back)
    host.page.write_text("by hand")
    done = host.apply(host.back, plan)
    assert done.outcome == "failed"
    assert isinstance(done.document, ApplyResult)
    assert f"refused: {host.page} was changed since" in str(done.document.resources[0].error)
    assert host.page.read_text() == "by hand"


def test_an_operation_of_which_nothing_is_kept_is_refused(host: Host) -> None:
    """With a reason of its own, in the plan and in the apply."""
    unknown = msgspec.structs.replace(host.back, rollback_of="op-9")
    assert host.refused(unknown) is Reason.ROLLBACK_UNKNOWN
    applying = msgspec.structs.replace(unknown, step="state.apply")
    assert host.refused(applying) is Reason.ROLLBACK_UNKNOWN
    named = msgspec.structs.replace(host.back, rollback_of="../../etc/passwd")
    assert host.refused(named) is Reason.ROLLBACK_UNKNOWN


def test_the_hosts_own_policy_holds_for_the_way_back_too(host: Host) -> None:
    """A path that may not be written may not be put back either; nothing is done."""
    applying = msgspec.structs.replace(host.back, step="state.apply")
    host.rule = CapabilityRule(deny_paths=(f"{host.root}/srv",))
    assert host.refused(applying) is Reason.POLICY_PATH
    host.rule = Refused(Reason.POLICY_DENIED, "the file is broken")
    assert host.refused(applying) is Reason.POLICY_DENIED
    assert host.page.exists()


def test_taking_back_what_may_cut_the_host_off_is_guarded_as_well(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator has to be met anew after it."""

    class Risky(FileUnix):
        risk: Risk = "connectivity"

    monkeypatch.setitem(KINDS, "file-unix", Risky())
    done = host.apply(host.back, host.plan(host.back))
    assert done.outcome == "succeeded"
    assert len(host.reached) == 1
    assert switch_file.load(host.root / "state").state == "confirmed"
