"""Room, approval and knowledge of a step are asked before anything is judged.

The attacks on decisions are in tests/hostile/test_agent_offers.py, over a real link.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from agent import admission, step_store
from agent.core import Core
from protocol.limits import MAX_OFFERS
from protocol.messages import ArtifactChunk, Offer, RefusedStep, Welcome
from protocol.reasons import Reason, Refused
from tests.fakes.agent import make_core
from tests.fakes.operators import SCOPE, Approval, Operator, module
from tests.fakes.small_disk import fill, mounted

ADA = Operator()
small_disk = pytest.fixture(mounted)


def approved_core(path: Path, **settings: object) -> Core:
    core = make_core(path / "state", **settings)
    core.trust.welcome(Welcome("n", "approved", 0, 1, 0.0, SCOPE))
    return core


def plan(run_id: str, fence: int = 1) -> Offer:
    return Offer(run_id, "state.plan", "l", fence, "op")


def reason_of(verdict: admission.Admitted | Refused) -> Reason:
    assert isinstance(verdict, Refused)
    return verdict.reason


def test_a_step_is_accepted_once_and_then_known(tmp_path: Path) -> None:
    """The same offer again changes nothing but a fence that rises."""
    core = approved_core(tmp_path)
    assert core.admission.consider(plan("a")) == "accepted"
    head = core.journal.head
    assert core.admission.consider(plan("a", 4)) == "known"
    step = core.database.read(lambda tx: step_store.find(tx, "a"))
    assert step is not None
    assert (step.fence, core.journal.head) == (4, head)


def test_a_host_that_is_not_approved_does_nothing(tmp_path: Path) -> None:
    """Whatever is offered to a pending host is refused, and the refusal is journalled."""
    core = make_core(tmp_path / "state")
    assert reason_of(core.admission.consider(plan("a"))) is Reason.NOT_APPROVED
    assert core.journal.after(0)[0].kind == "refused"


def test_more_steps_than_are_kept_are_refused(tmp_path: Path) -> None:
    """The queue of a host has an end."""
    core = approved_core(tmp_path)
    for number in range(MAX_OFFERS):
        assert core.admission.consider(plan(f"r{number}")) == "accepted"
    assert reason_of(core.admission.consider(plan("one more"))) is Reason.BUSY


def test_a_full_journal_refuses_new_work(tmp_path: Path) -> None:
    """Results that nobody has taken yet are worth more than new ones."""
    core = approved_core(tmp_path, journal_limit=1_048_576)
    chunk = ArtifactChunk("ab" * 32, "plan", 0, 1, b"x" * 190_000)
    for _ in range(6):
        core.database.write(lambda tx: core.journal.append(tx, chunk))
    refused = core.admission.consider(plan("a"))
    assert reason_of(refused) is Reason.DISK_FULL
    assert core.journal.after(core.journal.head - 1)[0].kind == "refused"


def test_a_run_id_of_any_length_is_not_echoed(tmp_path: Path) -> None:
    """A lying coordinator cannot fill the journal with its own words."""
    core = approved_core(tmp_path)
    assert reason_of(core.admission.consider(plan("x" * 10_000))) is Reason.ENVELOPE_INVALID
    assert core.journal.head == 0


def test_without_a_roster_nobody_can_approve(tmp_path: Path) -> None:
    """No roster means no apply, whoever signed it."""
    core = approved_core(tmp_path)
    approval = Approval(core.identity.node_id, (), ("ab" * 32,), 1.0)
    refused = core.admission.consider(approval.signed(ADA))
    assert reason_of(refused) is Reason.ROSTER_UNKNOWN


def test_the_action_is_built_from_the_items_of_this_host(tmp_path: Path) -> None:
    """Items, proof and host must fit, else there is no action to judge."""
    node = make_core(tmp_path / "state").identity.node_id
    approval = Approval(node, (), ("ab" * 32, "cd" * 32), 1.0)
    offer = approval.signed(ADA)
    assert admission.approved_action(offer, node) is not None
    assert admission.approved_action(offer, "another") is None
    for change in (
        {"proof": None},
        {"approved": ()},
        {"approved": ("zz" * 32,)},
        {"approved": ("ab" * 32,)},
        {"approved": ("ab" * 32, "cd" * 32, "cd" * 32)},
    ):
        assert admission.approved_action(msgspec.structs.replace(offer, **change), node) is None


@pytest.mark.parametrize(
    ("step", "reason"),
    [("state.plan", Reason.MODULE_INVALID), ("state.apply", Reason.PLAN_CHANGED)],
)
def test_a_module_must_be_the_version_it_claims(step: str, reason: Reason) -> None:
    """The hash is over the bytes that arrive."""
    version = msgspec.structs.replace(module("m", b"one", ADA), content=b"two")
    offer = Offer("r", step, "l", 1, "op", (version,))  # type: ignore[arg-type]  # a parameter
    found = admission.wrong_module(offer)
    assert found is not None
    assert found.reason is reason


@pytest.mark.needs_root
def test_a_full_disk_is_refused_reported_and_loses_nothing(small_disk: Path) -> None:
    """No step is taken on that could not be recorded, and heartbeats say why."""
    core = approved_core(small_disk)
    assert core.admission.consider(plan("before")) == "accepted"
    filler = fill(small_disk)
    version = module("m", os.urandom(65_536), ADA)
    big = Offer("during", "state.plan", "l", 1, "op", (version,))
    assert reason_of(core.admission.consider(big)) is Reason.DISK_FULL
    assert reason_of(core.admission.consider(plan("small"))) is Reason.DISK_FULL
    assert core.heartbeat(0.0).problems[0].startswith("disk_full")
    kinds = [entry.kind for entry in core.journal.after(0)]
    assert kinds == ["accepted", "refused", "refused"]
    assert core.steps.leases() == ("l",)
    filler.unlink()
    assert core.heartbeat(0.0).problems == ()
    assert core.admission.consider(plan("after")) == "accepted"
    core.database.close()


def test_a_refusal_carries_run_and_fence(tmp_path: Path) -> None:
    """The coordinator can tell which offer was refused."""
    core = approved_core(tmp_path)
    approval = Approval(core.identity.node_id, (), ("ab" * 32,), 1.0, run_id="r", fence=7)
    core.admission.consider(approval.offer(None))
    from protocol import messages

    body = messages.decode_body(core.journal.after(0)[-1])
    assert isinstance(body, RefusedStep)
    assert (body.run_id, body.fence) == ("r", 7)
