"""The link service: it comes back, sends its journal first, and gives in to no stranger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import trio

from agent.database import StorageError, Tx
from agent.enrolling import pins_of
from agent.services import link
from protocol import audit_heads, handshake
from protocol.audit_heads import Head
from protocol.audit_journals import note_head
from protocol.keys import SigningKey
from protocol.messages import Ack, Audit, Rejected
from tests.fakes.agent import make_core, running
from tests.fakes.coordinator import FakeCoordinator
from tests.fakes.operators import Operator, first_roster

ADA = Operator()


def coordinator() -> FakeCoordinator:
    return FakeCoordinator(SigningKey.generate(), [first_roster(ADA)])


async def test_a_cut_link_comes_back_with_what_was_not_acknowledged(tmp_path: Path) -> None:
    """At least once: what nobody stored is sent again, what was stored is pruned."""
    there = coordinator()
    there.acking = False
    core = make_core(tmp_path / "state")
    core.tell("test", "one")
    async with there.running(), running(core, there):
        await there.until(lambda: len(there.bodies(Audit)) == 1)
        await there.drop()
        await there.until(lambda: there.duplicates == [1])
        assert core.journal.after(0), "nothing is pruned without an acknowledgement"
        there.acking = True
        core.tell("test", "two")
        await there.until(lambda: len(there.bodies(Audit)) == 2)
        await there.drop()
        await there.until(lambda: there.links == 3 and len(there.facts) == 3)
        assert core.journal.after(0) == ()
        assert there.chain_holds(core.identity.key.public)


async def test_a_welcome_that_cannot_be_stored_still_opens_the_link(tmp_path: Path) -> None:
    """On a full disk the link is the way to say so; the journal must not wait for room."""
    there = coordinator()
    core = make_core(tmp_path / "state")
    core.tell("test", "one")
    write = core.trust._database.write

    def full(job: Callable[[Tx], object], *, urgent: bool = False) -> object:
        if not urgent:
            raise StorageError("no room", full=True)
        return write(job, urgent=True)

    async with there.running():
        core.trust.enrol(pins_of(there.enrolment_key()))
        core.database.write = full  # type: ignore[method-assign,assignment]  # a disk without room
        async with running(core, there):
            await there.until(lambda: len(there.bodies(Audit)) == 1)
            assert core.problems.listed()[0].startswith("storage")


async def test_a_journal_that_was_forgotten_over_there_goes_on(tmp_path: Path) -> None:
    """With nothing left to send it would wait for ever to be caught up, and get no work."""
    there = coordinator()
    core = make_core(tmp_path / "state")
    core.tell("test", "one")
    async with there.running(), running(core, there):
        await there.until(lambda: len(there.bodies(Audit)) == 1)
        with trio.fail_after(10.0):
            while True:
                known = core.work_bell.count
                if not core.journal.after(0):
                    break
                await core.work_bell.heard(known)
        there.entries.clear()
        await there.drop()
        await there.until(lambda: len(there.bodies(Audit)) == 1)
        (said,) = there.bodies(Audit)
        assert said.event == "journal.forgotten"
        await there.drop()
        await there.until(lambda: there.links == 3 and len(there.facts) == 3)
        assert len(there.bodies(Audit)) == 1


async def test_an_acknowledgement_of_what_was_never_sent_prunes_nothing(tmp_path: Path) -> None:
    """A lying coordinator cannot make a host forget."""
    there = coordinator()
    there.acking = False
    core = make_core(tmp_path / "state")
    async with there.running(), running(core, there):
        await there.send(Ack(999))
        core.tell("test", "one")
        await there.until(lambda: len(there.bodies(Audit)) == 1)
        assert [entry.seq for entry in core.journal.after(0)] == [1]


async def test_a_changed_coordinator_key_needs_a_rotation(tmp_path: Path) -> None:
    """Another key under the old address is refused and told; a signed successor is pinned."""
    there = coordinator()
    old, new = there.key, SigningKey.generate()
    core = make_core(tmp_path / "state")
    async with there.running():
        core.trust.enrol(pins_of(there.enrolment_key()))
        there.key = new
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run, core, lambda: 0.0)
            await there.until(lambda: there.links >= 2)
            assert core.trust.pins is not None
            assert core.trust.pins.coordinator_key == old.public
            assert there.secrets == [], "no proof and no secret goes to a stranger"
            there.rotations = (handshake.rotation(old, new.public, 1),)
            await there.until(lambda: len(there.facts) >= 1)
            assert core.trust.pins.coordinator_key == new.public
            await there.until(lambda: len(there.bodies(Audit)) >= 2)
            nursery.cancel_scope.cancel()
    reasons = [audit.reason for audit in there.bodies(Audit)]
    assert "coordinator_key_changed" in reasons
    core.database.close()


async def test_the_next_address_is_tried_when_one_is_dead(tmp_path: Path) -> None:
    """Several coordinators are tried in their order."""
    there = coordinator()
    core = make_core(tmp_path / "state")
    async with there.running():
        pins = pins_of(there.enrolment_key())
        both = msgspec.structs.replace(pins, urls=("http://127.0.0.1:1", *pins.urls))
        core.trust.enrol(both)
        async with running(core, there):
            assert there.links == 1


async def test_a_rejected_host_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    """Being sent away is no reason to hammer; the secret is kept for a later try."""
    there = coordinator()
    there.reject = Rejected("full", "too many are pending", 0.01)
    core = make_core(tmp_path / "state")
    async with there.running():
        core.trust.enrol(pins_of(there.enrolment_key()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run, core, lambda: 0.0)
            await there.until(lambda: there.links == 2)
            assert core.trust.pins is not None
            assert core.trust.pins.secret == there.secret
            there.reject = None
            await there.until(lambda: len(there.facts) == 1)
            nursery.cancel_scope.cancel()
    core.database.close()


def test_a_host_that_is_sent_away_says_what_helps() -> None:
    """A spent key needs a new one, a full list needs an operator, all else needs patience."""
    assert "enrol-key create" in link._next_step("key_spent")
    assert "agents list" in link._next_step("pending_full")
    assert "tries again" in link._next_step("busy")


def test_jitter_is_between_nought_and_one() -> None:
    """A fleet comes back spread, not in waves."""
    assert all(0.0 <= link.random01() < 1.0 for _ in range(100))


async def test_a_new_handshake_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    """A link that stands proves little after the network was changed."""
    there = coordinator()
    core = make_core(tmp_path / "state")
    meeting = core.steps.meeting
    async with there.running(), running(core, there):
        await there.until(lambda: meeting.handshakes.count == 1)
        meeting.renew.ring()
        await there.until(lambda: meeting.handshakes.count == 2)
        assert there.links == 2


async def test_a_head_of_the_log_that_contradicts_an_earlier_one_is_told(tmp_path: Path) -> None:
    """A coordinator that rewrites its log is caught by its own signatures, at the host."""
    there = coordinator()
    core = make_core(tmp_path / "state")

    def head(seq: int, letter: str) -> Ack:
        said = Head(1, "head", seq, letter * 32, 1, there.key.public.hex())
        return Ack(0, audit_heads.sign(said, there.key))

    async with there.running(), running(core, there):
        await there.send(head(7, "ab"))
        await there.send(head(7, "cd"))
        await there.until(lambda: len(there.bodies(Audit)) == 2)
        assert core.facts_now().details["audit.head"] == f"7 {'ab' * 32}"
    noted, told = there.bodies(Audit)
    assert noted == note_head(7, "ab" * 32)
    assert (told.event, told.reason, told.severity) == (
        "audit.contradicted", "audit_forked", "critical",
    )  # fmt: skip
