"""A stolen coordinator with its real key, against an agent: it can stop work, and invent none.

Every attack is refused with a reason code of its own, and nothing on the host is touched.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from agent.core import Core
from protocol import dsse, ids
from protocol.keys import SigningKey
from protocol.messages import (
    Accepted,
    Audit,
    Cancel,
    Finished,
    Offer,
    RefusedStep,
    RosterUpdate,
)
from protocol.reports import ApplyResult, PlanResult
from tests.fakes.agent import NOW, Clock, make_core, running
from tests.fakes.coordinator import FakeCoordinator
from tests.fakes.operators import (
    SCOPE,
    Approval,
    Operator,
    first_roster,
    module,
    next_roster,
    sign,
)
from tests.fakes.sites import looking, site

pytestmark = pytest.mark.hostile
ADA = Operator()
EVE = Operator(username="eve")
VIEWER = Operator(username="vic", role="viewer")
COORDINATOR = SigningKey.generate()
MACHINE = Operator(COORDINATOR, "machine", "automation")
OTHER_NODE = ids.node_id(b"\x07" * 32)


@dataclass
class World:
    """An enrolled host whose operator has looked at a plan and approved it."""

    core: Core
    coordinator: FakeCoordinator
    root: Path
    approval: Approval
    clock: Clock

    def untouched(self) -> bool:
        return not (self.root / "srv").exists() and not (self.root / "canary").exists()

    async def refused(self, offer: Offer) -> RefusedStep:
        """Offer a step and return the host's refusal of it."""
        before = len(self.coordinator.bodies(RefusedStep))
        await self.coordinator.send(offer)
        await self.coordinator.until(lambda: len(self.coordinator.bodies(RefusedStep)) > before)
        return self.coordinator.bodies(RefusedStep)[-1]

    async def finished(self, offer: Offer) -> Finished:
        """Offer a step and return how it ended."""
        await self.coordinator.send(offer)
        await self.coordinator.until(
            lambda: any(f.run_id == offer.run_id for f in self.coordinator.bodies(Finished))
        )
        return next(f for f in self.coordinator.bodies(Finished) if f.run_id == offer.run_id)

    async def finished_or_refused(self, offer: Offer) -> Finished | None:
        """Offer a step and return how it ended; None if the host refused it."""

        def ended() -> bool:
            refused = (r.run_id for r in self.coordinator.bodies(RefusedStep))
            finished = (f.run_id for f in self.coordinator.bodies(Finished))
            return offer.run_id in {*refused, *finished}

        await self.coordinator.send(offer)
        await self.coordinator.until(ended)
        found = (f for f in self.coordinator.bodies(Finished) if f.run_id == offer.run_id)
        return next(found, None)


@asynccontextmanager
async def world(tmp_path: Path, *people: Operator) -> AsyncGenerator[World]:
    """A host with a plan; the roster names Ada and some others."""
    roster = first_roster(ADA, *people)
    coordinator = FakeCoordinator(COORDINATOR, [roster])
    clock = Clock()
    core = make_core(tmp_path / "state", clock)
    version = module("site", site(tmp_path), ADA)
    async with coordinator.running(), running(core, coordinator):
        await coordinator.until(lambda: core.trust.roster is not None)
        made = World(
            core,
            coordinator,
            tmp_path,
            Approval(core.identity.node_id, (version,), (), NOW),
            clock,
        )
        done = await made.finished(Offer("plan", "state.plan", "l", 1, "op", (version,)))
        assert done.artifact is not None
        plan = msgspec.json.decode(coordinator.document(done.artifact), type=PlanResult)
        made.approval.approved = tuple(item.digest for item in plan.resources)
        yield made


def forged(approval: Approval) -> Offer:
    """Somebody signed who is not in the roster, and says that he is Ada."""
    envelope = sign(approval.decision(), [EVE])
    lie = dsse.Signature(ADA.id, envelope.signatures[0].sig)
    return approval.offer(msgspec.structs.replace(envelope, signatures=(lie,)))


def other_items(approval: Approval) -> Offer:
    """The signature is Ada's, the approved items are the attacker's own."""
    return msgspec.structs.replace(approval.signed(ADA), approved=("ab" * 32,))


def other_plan(approval: Approval) -> Offer:
    """Items and proof fit together, but are not the plan whose root Ada signed."""
    envelope = approval.signed(ADA).decision
    return replace(approval, approved=("ab" * 32,)).offer(envelope)


def more_removals(approval: Approval) -> Offer:
    """The guard against removals is raised after it was signed."""
    return msgspec.structs.replace(approval.signed(ADA), removal_limit=1_000)


def swapped_module(approval: Approval) -> Offer:
    """Another module's bytes under the name and number of the approved version."""
    offer = approval.signed(ADA)
    version = msgspec.structs.replace(offer.modules[0], content=site(Path("/nowhere")))
    return msgspec.structs.replace(offer, modules=(version,))


def without_signature(approval: Approval) -> Offer:
    """The envelope is there and signed by nobody."""
    envelope = approval.signed(ADA).decision
    assert envelope is not None
    return approval.offer(msgspec.structs.replace(envelope, signatures=()))


def other_type(approval: Approval) -> Offer:
    """A statement that Ada signed as a module is shown as a decision."""
    envelope = approval.signed(ADA).decision
    assert envelope is not None
    signed = dsse.sign(dsse.MODULE, envelope.content(), ADA.key, ADA.id)
    return approval.offer(signed)


ATTACKS: dict[str, tuple[Callable[[Approval], Offer], str]] = {
    "nothing signed": (lambda a: a.offer(None), "unsigned"),
    "no signature on it": (without_signature, "unsigned"),
    "unknown signer": (lambda a: a.signed(EVE), "signer_unknown"),
    "forged signature": (forged, "signature_invalid"),
    "viewer signed": (lambda a: a.signed(VIEWER), "role_forbidden"),
    "coordinator signed": (lambda a: a.signed(MACHINE), "role_forbidden"),
    "another capability": (
        lambda a: a.signed(ADA, capability="command.run"),
        "capability_mismatch",
    ),
    "another host": (lambda a: a.signed(ADA, nodes=(OTHER_NODE,)), "node_not_named"),
    "another scope": (lambda a: a.signed(ADA, scope="o/p/e"), "scope_mismatch"),
    "expired": (
        lambda a: a.signed(ADA, not_before=int(NOW) - 90, expires_at=int(NOW) - 1),
        "expired",
    ),
    "from the future": (
        lambda a: a.signed(ADA, not_before=int(NOW) + 90, expires_at=int(NOW) + 99),
        "not_yet_valid",
    ),
    "denied": (lambda a: a.signed(ADA, verdict="deny"), "verdict_denied"),
    "swapped approved items": (other_items, "action_mismatch"),
    "another plan": (other_plan, "action_mismatch"),
    "no proof": (
        lambda a: msgspec.structs.replace(a.signed(ADA), proof=None),
        "action_mismatch",
    ),
    "removal limit raised": (more_removals, "action_mismatch"),
    "swapped module": (swapped_module, "plan_changed"),
    "another kind of statement": (other_type, "envelope_invalid"),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_bad_offer_is_refused_by_its_own_reason_and_nothing_is_done(
    tmp_path: Path, name: str
) -> None:
    """There is no unsigned way round, whatever the coordinator's key signs."""
    attack, reason = ATTACKS[name]
    async with world(tmp_path, VIEWER, MACHINE) as here:
        assert (await here.refused(attack(here.approval))).reason == reason
        assert here.untouched()
        # The host still does what was really approved.
        here.approval.run_id = "honest"
        assert (await here.finished(here.approval.signed(ADA))).outcome == "succeeded"
        assert (tmp_path / "srv/index.html").exists()


async def test_a_decision_is_used_once_also_under_another_run(tmp_path: Path) -> None:
    """A replayed decision is refused for ever, also after the host was put back as it was."""
    async with world(tmp_path) as here:
        offer = here.approval.signed(ADA)
        assert (await here.finished(offer)).outcome == "succeeded"
        (tmp_path / "srv/index.html").unlink()
        (tmp_path / "srv").rmdir()
        again = msgspec.structs.replace(offer, run_id="run-2", fence=9)
        assert (await here.refused(again)).reason == "replayed"
        assert here.untouched()
        # The same run offered again is known, and simply not done again.
        await here.coordinator.send(msgspec.structs.replace(offer, fence=10))
        assert (await here.refused(again)).reason == "replayed"
        assert len(here.coordinator.bodies(Accepted)) == 2
        assert here.untouched()


async def test_a_host_that_changed_since_the_plan_does_not_do_it(tmp_path: Path) -> None:
    """What was approved is what runs: an item in another state is stale, and says so."""
    async with world(tmp_path) as here:
        (tmp_path / "srv").mkdir()
        (tmp_path / "srv/index.html").write_text("written by somebody in between")
        done = await here.finished(here.approval.signed(ADA))
        assert done.outcome == "failed"
        assert done.message.startswith("plan_changed")
        assert done.artifact is not None
        document = here.coordinator.document(done.artifact)
        result = msgspec.json.decode(document, type=ApplyResult)
        assert "stale" in {item.status for item in result.resources}
        text = (tmp_path / "srv/index.html").read_text()
        assert text == "written by somebody in between"


async def test_a_module_with_other_content_is_stale_not_applied(tmp_path: Path) -> None:
    """Another module, itself well signed, does not pass under the approval of the first."""
    async with world(tmp_path) as here:
        other = module("site", site(tmp_path, "mined"), ADA)
        offer = msgspec.structs.replace(here.approval.signed(ADA), modules=(other,))
        done = await here.finished(offer)
        assert done.outcome == "failed"
        assert done.message.startswith("plan_changed")
        assert not (tmp_path / "srv/index.html").exists()


async def test_rosters_do_not_go_back_and_do_not_fork(tmp_path: Path) -> None:
    """The operators a host knows change only along their own signatures."""
    async with world(tmp_path) as here:
        first = here.coordinator.rosters[0]
        raised = next_roster(first, ADA, ADA, epochs={SCOPE: 3})
        await here.coordinator.send(RosterUpdate((raised,)))
        forks = {
            "roster_rollback": first_roster(EVE),
            "roster_fork": next_roster(first, ADA, ADA, EVE),
            "roster_invalid": next_roster(raised, EVE, ADA, EVE, epochs={SCOPE: 3}),
        }
        for envelope in forks.values():
            await here.coordinator.send(RosterUpdate((envelope,)))
        await here.coordinator.until(
            lambda: {a.reason for a in here.coordinator.bodies(Audit)} == set(forks)
        )
        trusted = here.core.trust.roster
        assert trusted is not None
        assert (trusted.roster.version, len(trusted.roster.operators)) == (2, 1)
        assert (await here.refused(here.approval.signed(ADA))).reason == "epoch_old"
        here.approval.run_id = "run-2"
        assert (await here.refused(here.approval.signed(EVE))).reason == "signer_unknown"
        assert here.untouched()


async def test_looking_does_not_run_the_code_of_an_unsigned_module(tmp_path: Path) -> None:
    """A plan needs no decision, so it runs no command that no operator signed."""
    async with world(tmp_path) as here:
        for number, signer in enumerate((None, EVE, MACHINE)):
            version = module("looking", looking(tmp_path), signer)
            offer = Offer(f"look-{number}", "state.plan", "l", 1, "op", (version,))
            done = await here.finished(offer)
            assert done.artifact is not None
            plan = msgspec.json.decode(here.coordinator.document(done.artifact), type=PlanResult)
            assert [item.action for item in plan.resources] == ["unknown"]
            assert (plan.resources[0].message or "").startswith("unsigned")
            assert here.untouched()
        signed = module("looking", looking(tmp_path), ADA)
        await here.finished(Offer("look-9", "state.plan", "l", 1, "op", (signed,)))
        assert (tmp_path / "canary").exists()


async def test_a_clock_that_is_set_back_makes_no_decision_valid_again(tmp_path: Path) -> None:
    """Expiry is judged against the latest signed time that the host has seen."""
    async with world(tmp_path) as here:
        late = next_roster(here.coordinator.rosters[0], ADA, ADA, issued_at=int(NOW) + 7_200)
        here.clock.now = NOW + 7_200
        await here.coordinator.send(RosterUpdate((late,)))
        await here.coordinator.send(Cancel("nobody's", 1))
        await here.coordinator.until(
            lambda: any(f.run_id == "nobody's" for f in here.coordinator.bodies(Finished))
        )
        here.clock.now = NOW - 86_400
        assert (await here.refused(here.approval.signed(ADA))).reason == "expired"
        assert here.untouched()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[capabilities."state.apply"]\nsignature = "deny"\n', "policy_denied"),
        ('[capabilities."state.apply"]\nquorum = 2\n', "quorum_missing"),
        ("this is not a policy", "policy_denied"),
    ],
)
async def test_the_hosts_own_policy_is_read_for_every_decision(
    tmp_path: Path, text: str, reason: str
) -> None:
    """A host's policy holds from the moment it is written, and a damaged one forbids."""
    async with world(tmp_path) as here:
        (tmp_path / "state/policy.toml").write_text(text)
        assert (await here.refused(here.approval.signed(ADA))).reason == reason
        assert here.untouched()
