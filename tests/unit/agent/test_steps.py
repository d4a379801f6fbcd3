"""Steps are done one at a time from what is stored, and an engine fault ends one step only.

Killing the process in the middle is in tests/integration/test_agent_process.py.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest

from agent import step_store
from agent.core import Core
from agent.database import Tx
from agent.step_outcomes import Done
from agent.work import Circumstances, Engine, Hooks, resolve
from protocol import desired, messages
from protocol.messages import ArtifactChunk, Body, Cancel, Desired, Finished, Offer, Welcome
from protocol.reasons import Reason, Refused
from protocol.reports import DriftRecord, PlanResult, ResourceResult
from state_engine.engine import progress as engine_progress
from state_engine.model import AppliedResource, NodeFacts, Snapshot
from tests.fakes.agent import make_core
from tests.fakes.operators import SCOPE, Operator, module
from tests.fakes.sites import site

ADA = Operator()
NONE = Snapshot()


@pytest.fixture
def core(tmp_path: Path) -> Core:
    made = make_core(tmp_path / "state")
    made.trust.welcome(Welcome("n", "approved", 0, 1, 0.0, SCOPE))
    return made


def offer(tmp_path: Path, run_id: str, step: messages.StepKind = "state.plan") -> Offer:
    return Offer(
        run_id, step, f"lease-{run_id}", 1, f"op-{run_id}", (module("site", site(tmp_path), ADA),)
    )


def bodies(core: Core) -> list[Body]:
    return [messages.decode_body(entry) for entry in core.journal.after(0)]


async def test_steps_are_done_in_order_and_leave_their_documents(
    core: Core, tmp_path: Path
) -> None:
    """A plan and a drift look leave what they found, in pieces that make up its hash."""
    core.admission.consider(offer(tmp_path, "one"))
    core.admission.consider(offer(tmp_path, "two", "state.drift"))
    assert core.steps.leases() == ("lease-one", "lease-two")
    while await core.steps.run_next():
        pass
    ends = [body for body in bodies(core) if isinstance(body, Finished)]
    assert [(end.run_id, end.outcome) for end in ends] == [
        ("one", "succeeded"),
        ("two", "succeeded"),
    ]
    chunks = {c.sha256: c for c in bodies(core) if isinstance(c, ArtifactChunk)}
    plan, drift = (chunks[end.artifact or ""] for end in ends)
    assert hashlib.sha256(plan.data).hexdigest() == plan.sha256
    assert msgspec.json.decode(plan.data, type=PlanResult).digest == ends[0].digest
    assert msgspec.json.decode(drift.data, type=DriftRecord).status == "in_sync"
    assert (plan.kind, drift.kind) == ("plan", "drift")
    assert core.steps.leases() == ()


async def test_a_waiting_step_is_cancelled_at_once(core: Core, tmp_path: Path) -> None:
    """It is reported cancelled and never done; an older fence cancels nothing."""
    core.admission.consider(offer(tmp_path, "one"))
    core.steps.cancel(Cancel("one", 0))
    assert core.steps.leases() == ("lease-one",)
    core.steps.cancel(Cancel("one", 1))
    assert core.steps.leases() == ()
    assert not await core.steps.run_next()
    end = bodies(core)[-1]
    assert isinstance(end, Finished)
    assert end.outcome == "cancelled"
    # Nothing is remembered of it: a coordinator may offer and cancel a million times.
    assert core.steps._cancelled == {}


async def test_an_apply_that_was_cut_short_for_too_long_is_not_gone_on_with(
    core: Core, tmp_path: Path
) -> None:
    """What it did before is kept and reported; what had not begun is not done after its time."""
    made = offer(tmp_path, "one", "state.apply")
    resources = resolve(made, Circumstances(NodeFacts("n", "w", {"platform": "linux"}), None, NONE))
    assert isinstance(resources, tuple)
    root = next(r for r in resources if r.kind == "directory-unix")
    done = ResourceResult("site", root.kind, root.identity, "create", "changed")

    def job(tx: Tx) -> None:
        step_store.add(tx, made)
        step_store.start(tx, "one")
        held = AppliedResource(root)
        step_store.add_progress(tx, "one", engine_progress.Started(root.key, "ab", held))
        step_store.add_progress(tx, "one", engine_progress.Finished(root.key, done, held))

    core.database.write(job)
    core.steps.set_attributes({"platform": "linux"})
    core.steps._still = lambda _: Refused(Reason.EXPIRED, "long ago")
    assert await core.steps.run_next()
    end = bodies(core)[-1]
    assert isinstance(end, Finished)
    assert (end.outcome, end.message.split(":")[0]) == ("interrupted", "expired")
    assert not (tmp_path / "srv").exists()
    assert [item.resource.key for item in core.steps.snapshot().applied] == [root.key]


class Broken(Engine):
    """An engine with a bug."""

    def __init__(self) -> None:
        """Needs nothing."""

    def plan(self, offer: Offer, around: Circumstances, hooks: Hooks) -> Done:
        hooks.begin()
        raise ZeroDivisionError(offer.run_id, around.facts.name)


async def test_a_fault_of_the_engine_ends_its_step_and_nothing_else(
    core: Core, tmp_path: Path
) -> None:
    """A step that always fails must not keep the agent from ever running again."""
    core.admission.consider(offer(tmp_path, "one"))
    core.steps.engine = Broken()
    assert await core.steps.run_next()
    end = bodies(core)[-1]
    assert isinstance(end, Finished)
    assert (end.outcome, "ZeroDivisionError" in end.message) == ("failed", True)
    assert not await core.steps.run_next()


async def test_a_stopping_agent_begins_nothing(core: Core, tmp_path: Path) -> None:
    """What is stored waits for the next start."""
    core.admission.consider(offer(tmp_path, "one"))
    await core.steps.stop(1.0)
    assert not await core.steps.run_next()
    assert [step.phase for step in core.database.read(step_store.unfinished)] == ["accepted"]


async def test_modules_are_resolved_with_the_tags_of_the_desired_document(
    core: Core, tmp_path: Path
) -> None:
    """A host is told its tags by a generation, and a damaged document has none."""
    tagged = site(tmp_path, "${{ tags.role }}")
    version = module("site", tagged, ADA)
    told = desired.encode(desired.DesiredDocument("web1", {"role": "front"}))
    outcomes: list[str] = []
    for number, document in enumerate((b"damaged", told), start=1):
        core.on_desired(Desired(number, document))
        core.admission.consider(Offer(f"r{number}", "state.plan", "l", 1, "op", (version,)))
        await core.steps.run_next()
        outcomes.append(core.journal.after(core.journal.head - 1)[0].kind)
    assert outcomes == ["refused", "finished"]


def store(core: Core, given: Offer) -> None:
    core.database.write(lambda tx: step_store.add(tx, given))


async def test_only_applies_are_counted_as_such(core: Core, tmp_path: Path) -> None:
    """A plan or a look writes nothing, and whoever did something meanwhile stays known."""
    counts: list[int] = []
    for name, step in (("one", "state.plan"), ("two", "state.drift"), ("three", "state.apply")):
        given = offer(tmp_path, name, step)  # type: ignore[arg-type]  # a parameter
        store(core, given)
        assert await core.steps.run_next()
        counts.append(core.steps.applies)
    assert counts == [0, 0, 1]
