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
from agent.trust import Pins
from protocol import commands, decisions, merkle, messages, standing
from protocol.commands import Command
from protocol.limits import MAX_APPROVED_ITEMS, MAX_ID, MAX_OFFERS
from protocol.messages import ArtifactChunk, Offer, RefusedStep, Welcome
from protocol.policy import CapabilityRule
from protocol.reasons import Reason, Refused
from protocol.standing import Standing
from tests.fakes.agent import make_core
from tests.fakes.command_host import CommandHost
from tests.fakes.operators import SCOPE, Approval, Operator, first_roster, module
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


def test_ids_are_taken_up_to_their_limit_and_not_beyond(tmp_path: Path) -> None:
    """What fits a heartbeat is taken, and a refusal of what fits is told under its own name."""
    core = approved_core(tmp_path)
    longest = "x" * MAX_ID
    assert core.admission.consider(plan(longest)) == "accepted"
    for change in ({"lease": longest + "x"}, {"operation_id": longest + "x"}):
        offer = msgspec.structs.replace(plan("y" * MAX_ID), **change)
        assert reason_of(core.admission.consider(offer)) is Reason.ENVELOPE_INVALID
        body = messages.decode_body(core.journal.after(core.journal.head - 1)[0])
        assert isinstance(body, RefusedStep)
        assert body.run_id == "y" * MAX_ID


def test_as_many_items_are_approved_as_there_may_be(tmp_path: Path) -> None:
    """None at all is nothing to do, and one more than the limit is refused unread."""
    node = make_core(tmp_path / "state").identity.node_id
    most = tuple(f"{number:064x}" for number in range(MAX_APPROVED_ITEMS))
    for approved, expected in ((most, True), ((*most, "ab" * 32), False)):
        offer = Approval(node, (), approved, 1.0).signed(ADA)
        assert (admission.approved_action(offer, node) is not None) is expected
    empty = Approval(node, (), ("ab" * 32,), 1.0).signed(ADA)
    nothing, proofs = decisions.plan_tree({node: merkle.root([]).hex()})
    assert nothing
    empty = msgspec.structs.replace(empty, approved=(), proof=proofs[node])
    assert admission.approved_action(empty, node) is None


def test_a_standing_order_binds_the_modules_offered(tmp_path: Path) -> None:
    """Each under its own name; what has no name or no window has no action."""
    node = make_core(tmp_path / "state").identity.node_id
    one, two = module("one", b"1", ADA), module("two", b"2", ADA)
    order = Standing("nightly", ("22:00-05:00",))
    offer = Offer("r", "state.apply", "l", 1, "op", (one, two), removal_limit=4, standing=order)
    expected = standing.action({"one": one.sha256, "two": two.sha256}, 4, order)
    assert admission.signed_action(offer, node) == expected
    for change in (
        {"modules": (one, msgspec.structs.replace(two, name="one"))},
        {"modules": ()},
        {"standing": Standing("nightly", ("noon",))},
    ):
        assert admission.signed_action(msgspec.structs.replace(offer, **change), node) is None


def test_a_command_amounts_to_an_action_alone_and_as_its_own_step(tmp_path: Path) -> None:
    """Beside anything else, in another step, or missing, it is nothing that was signed."""
    node = make_core(tmp_path / "state").identity.node_id
    command = Command(argv=("/bin/true",))
    offer = Offer("r", "command.run", "l", 1, "op", command=command)
    assert admission.signed_action(offer, node) == commands.action(command)
    for change in (
        {"step": "state.apply"},
        {"step": "state.plan"},
        {"command": None},
        {"command": Command()},
        {"modules": (module("one", b"1", ADA),)},
        {"approved": ("ab" * 32,)},
        {"standing": Standing("nightly", ())},
        {"rollback_of": "op-1"},
    ):
        changed = msgspec.structs.replace(offer, **change)
        assert admission.signed_action(changed, node) is None, change
    plan = Approval(node, (), ("ab" * 32,), 1.0).signed(ADA)
    for change in ({"step": "command.run"}, {"command": command}):
        assert admission.signed_action(msgspec.structs.replace(plan, **change), node) is None


def test_the_hosts_policy_is_asked_of_a_command(tmp_path: Path) -> None:
    """Signed as it should be, it is refused as a user that the policy does not name."""
    host = CommandHost(tmp_path)
    signed = host.offer(Command(argv=("/bin/true",), user="daemon"))
    host.allow('users = ["deploy"]')
    assert host.offered(signed) == "policy_user"
    host.allow('users = ["daemon"]')
    assert host.offered(signed) == "accepted"


def test_taking_back_is_approved_by_its_items_and_by_nothing_else(tmp_path: Path) -> None:
    """What was signed for modules or for a schedule takes nothing back."""
    node = make_core(tmp_path / "state").identity.node_id
    plain = Approval(node, (), ("ab" * 32,), 1.0).signed(ADA)
    back = msgspec.structs.replace(plain, rollback_of="op-1")
    assert admission.signed_action(back, node) == admission.approved_action(plain, node)
    order = Standing("nightly", ())
    one = module("one", b"1", ADA)
    for change in (
        {"modules": (one,)},
        {"standing": order},
        {"modules": (one,), "standing": order},
    ):
        assert admission.signed_action(msgspec.structs.replace(back, **change), node) is None


def test_the_rule_for_changes_is_read_from_the_file_each_time(tmp_path: Path) -> None:
    """A file that cannot be understood is a refusal, not the default."""
    core = approved_core(tmp_path)
    file = tmp_path / "state/policy.toml"
    assert core.admission.rule() == CapabilityRule()
    file.write_text('[capabilities."state.apply"]\nkinds = ["script"]\n')
    assert core.admission.rule() == CapabilityRule(kinds=("script",))
    file.write_text('[capabilities."command.run"]\nkinds = ["script"]\n')
    assert core.admission.rule() == CapabilityRule()
    file.write_text("nonsense")
    found = core.admission.rule()
    assert isinstance(found, Refused)
    assert found.reason is Reason.POLICY_DENIED


@pytest.mark.parametrize("missing", ["roster", "pins"])
def test_without_roster_or_pins_there_is_nothing_to_judge_by(tmp_path: Path, missing: str) -> None:
    """Neither alone is enough to know whose word counts."""
    core = approved_core(tmp_path)
    if missing == "roster":
        core.trust.enrol(Pins(("https://c",), b"k" * 32, "", None))
    else:
        core.trust.take_roster((first_roster(ADA),), 1.0)
    refused = core.admission.consider(
        Approval(core.identity.node_id, (), ("ab" * 32,), 1.0).signed(ADA)
    )
    assert reason_of(refused) is Reason.ROSTER_UNKNOWN


def test_an_acceptance_is_journalled_with_its_decision_and_signers(tmp_path: Path) -> None:
    """What will be done, by whose word, is written before it is done."""
    core = approved_core(tmp_path)
    core.trust.enrol(Pins(("https://c",), b"k" * 32, "", None))
    core.trust.take_roster((first_roster(ADA),), 1.0)
    approval = Approval(core.identity.node_id, (), ("ab" * 32,), core.clock(), run_id="r", fence=3)
    assert core.admission.consider(approval.signed(ADA)) == "accepted"
    body = messages.decode_body(core.journal.after(0)[-1])
    decision = approval.decision()
    assert body == messages.Accepted("r", 3, "state.apply", decision.decision_id, (ADA.id,))
    mine = msgspec.structs.replace(approval.signed(ADA), approved=("cd" * 32,), run_id="s")
    refused = core.admission.consider(mine)
    assert isinstance(refused, Refused)
    assert refused.detail == "what is offered is not this host's part of what was signed"
    other = msgspec.structs.replace(
        approval.signed(ADA, action_hash="ab" * 32, decision_id="01JZ0000000000000000000009"),
        run_id="t",
    )
    refused = core.admission.consider(other)
    assert isinstance(refused, Refused)
    assert refused.detail.startswith("signed abab")
    stale = msgspec.structs.replace(mine, decision=approval.signed(ADA, scope="x/y/z").decision)
    refused = core.admission.consider(msgspec.structs.replace(stale, run_id="u"))
    assert isinstance(refused, Refused)
    assert refused.detail.startswith("x/y/z is not")


def test_a_plan_of_a_wrong_module_is_refused_too(tmp_path: Path) -> None:
    """Reading needs no decision, but the bytes have to be those of the version."""
    core = approved_core(tmp_path)
    version = msgspec.structs.replace(module("m", b"one", ADA), content=b"two")
    offer = Offer("r", "state.plan", "l", 1, "op", (version,))
    assert reason_of(core.admission.consider(offer)) is Reason.MODULE_INVALID


def test_a_refusal_is_told_in_a_bounded_number_of_words(tmp_path: Path) -> None:
    """A long text of somebody else's is cut, and a journal without room for notes takes none."""
    core = approved_core(tmp_path, journal_limit=1_048_576)
    file = tmp_path / "state/policy.toml"
    file.write_text(f'"{"k" * 3_000}" = 1\n')
    core.trust.enrol(Pins(("https://c",), b"k" * 32, "", None))
    core.trust.take_roster((first_roster(ADA),), 1.0)
    approval = Approval(core.identity.node_id, (), ("ab" * 32,), 1.0)
    core.admission.consider(approval.signed(ADA))
    body = messages.decode_body(core.journal.after(0)[-1])
    assert isinstance(body, RefusedStep)
    assert len(body.detail) == admission.MAX_DETAIL
    chunk = ArtifactChunk("ab" * 32, "plan", 0, 1, b"x" * 190_000)
    while core.journal.has_room_for_notes:
        core.database.write(lambda tx: core.journal.append(tx, chunk))
    head = core.journal.head
    core.admission.consider(approval.signed(ADA))
    assert core.journal.head == head


def test_a_database_that_takes_nothing_refuses_and_does_not_end_the_agent(tmp_path: Path) -> None:
    """Not even the refusal can be written; the offer is refused all the same."""
    core = approved_core(tmp_path)
    core.database.read(lambda tx: tx.execute("PRAGMA query_only=ON"))
    assert reason_of(core.admission.consider(plan("a"))) is Reason.BUSY
    core.database.read(lambda tx: tx.execute("PRAGMA query_only=OFF"))
    assert core.journal.head == 0
    assert core.admission.consider(plan("a")) == "accepted"


def test_what_is_done_and_what_only_reads_is_not_judged_again(tmp_path: Path) -> None:
    """A finished step is known for ever; a plan needs no decision, before and after."""
    core = approved_core(tmp_path)
    assert core.admission.consider(plan("a")) == "accepted"
    assert core.admission.still(plan("a")) is None
    core.database.write(lambda tx: step_store.finish(tx, "a"))
    assert core.admission.consider(plan("a", 9)) == "known"
    step = core.database.read(lambda tx: step_store.find(tx, "a"))
    assert step is not None
    assert (step.phase, step.fence) == ("finished", 1)
    approval = Approval(core.identity.node_id, (), ("ab" * 32,), 1.0)
    refused = core.admission.still(approval.signed(ADA))
    assert isinstance(refused, Refused)


def test_a_guard_beyond_all_numbers_has_no_action(tmp_path: Path) -> None:
    """What has no canonical form was signed by nobody."""
    node = make_core(tmp_path / "state").identity.node_id
    offer = Approval(node, (), ("ab" * 32,), 1.0).signed(ADA)
    huge = msgspec.structs.replace(offer, removal_limit=2**60)
    assert admission.approved_action(huge, node) is None


def test_a_refusal_carries_run_and_fence(tmp_path: Path) -> None:
    """The coordinator can tell which offer was refused."""
    core = approved_core(tmp_path)
    approval = Approval(core.identity.node_id, (), ("ab" * 32,), 1.0, run_id="r", fence=7)
    core.admission.consider(approval.offer(None))
    body = messages.decode_body(core.journal.after(0)[-1])
    assert isinstance(body, RefusedStep)
    assert (body.run_id, body.fence) == ("r", 7)
