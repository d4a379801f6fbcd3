"""Clones over the real link: found, given no work, and told apart by an operator's choice."""

from __future__ import annotations

from functools import partial

import pytest

from coordinator.domain import agents, clones
from coordinator.domain.refusals import Refusal
from coordinator.store import events, journals
from protocol import api, api_clones
from protocol.messages import Ack, Audit, Heartbeat, Journal, Offer, Rejected, Welcome
from protocol.ratchet import Held
from protocol.session import CloseLink
from tests.fakes.fleet import OPERATOR, FakeHost
from tests.fakes.link_agent import LinkAgent, LinkedFleet, linked


@pytest.fixture
def fleet() -> LinkedFleet:
    return LinkedFleet()


async def link_once(fleet: LinkedFleet, host: FakeHost, held: Held | None) -> Held | None:
    """Hold one link to its welcome; return what the host holds then, None if it was sent away."""
    agent = LinkAgent(host, ratchet=held)
    async with linked(fleet, agent):
        answer = await agent.shake()
    return Held(answer.ratchet_seq, answer.ratchet) if isinstance(answer, Welcome) else None


async def cloned(fleet: LinkedFleet, host: FakeHost) -> tuple[Held | None, Held | None]:
    """Make a copy of a host, and let both come until they are told apart."""
    real = copy = await link_once(fleet, host, None)
    for _ in range(2):
        real = await link_once(fleet, host, real)
        copy = await link_once(fleet, host, copy)
    return real, copy


async def test_a_host_alone_comes_and_goes_as_it_likes(fleet: LinkedFleet) -> None:
    """Links that ended before the new value was stored among them."""
    host = fleet.add(10)
    held = await link_once(fleet, host, None)
    for turn in range(5):
        offered = await link_once(fleet, host, held)
        held = offered if turn % 2 else held
    assert fleet.store.write_now(clones.listing) == ()
    shown = fleet.store.write_now(lambda tx: agents.get(tx, host.node_id))
    assert isinstance(shown, api.Agent)
    assert (shown.status, shown.cloned) == ("approved", False)


async def test_two_that_hold_one_key_get_no_work(fleet: LinkedFleet) -> None:
    """A run that waits is offered to neither; it is loud, and `listing` shows both."""
    host = fleet.add(10)
    real, _ = await cloned(fleet, host)
    shown = fleet.store.write_now(lambda tx: agents.get(tx, host.node_id))
    assert isinstance(shown, api.Agent)
    assert (shown.status, shown.cloned) == ("pending", True)
    assert fleet.store.write_now(lambda tx: agents.matching(tx, "*")) == ()
    agent = LinkAgent(host, ratchet=real)
    async with linked(fleet, agent):
        answer = await agent.shake()
        assert isinstance(answer, Welcome)
        assert answer.approval == "pending"
    assert Offer not in {type(message) for message in agent.got}
    told = fleet.store.write_now(lambda tx: events.latest(tx, limit=5, target=host.node_id))
    assert "critical" in {event.severity for event in told if event.type == "agent.cloned"}
    (found,) = fleet.store.write_now(clones.listing)
    assert found.diverged
    assert len(found.holders) == 2


async def test_the_chosen_one_goes_on_and_the_other_is_sent_away(fleet: LinkedFleet) -> None:
    """Both have to come back to prove which they are; only one gets in."""
    host = fleet.add(10)
    real, copy = await cloned(fleet, host)
    (found,) = fleet.store.write_now(clones.listing)
    live = LinkAgent(host, ratchet=copy)
    async with linked(fleet, live):
        await live.shake()
        # The copy's line is the one that moved last.
        line = fleet.store.write_now(lambda tx: clones.show(tx, host.node_id))
        assert isinstance(line, api_clones.Clones)
        kept = found.holders[0].holder_id
        keep = api_clones.KeepRequest(kept)
        chosen = fleet.store.write_now(lambda tx: clones.keep(tx, OPERATOR, host.node_id, keep))
        assert isinstance(chosen, api_clones.Clones)
        assert (await live.expect(Rejected)).code == "prove_again"
    answers = [await link_once(fleet, host, each) for each in (real, copy)]
    assert [answer is None for answer in answers].count(True) == 1
    shown = fleet.store.write_now(lambda tx: agents.get(tx, host.node_id))
    assert isinstance(shown, api.Agent)
    assert (shown.status, shown.cloned) == ("approved", False)


async def test_the_one_sent_away_is_told_why(fleet: LinkedFleet) -> None:
    host = fleet.add(10)
    real, copy = await cloned(fleet, host)
    (found,) = fleet.store.write_now(clones.listing)
    keep = api_clones.KeepRequest(found.holders[0].holder_id)
    fleet.store.write_now(lambda tx: clones.keep(tx, OPERATOR, host.node_id, keep))
    codes: list[str] = []
    for held in (real, copy):
        agent = LinkAgent(host, ratchet=held)
        async with linked(fleet, agent):
            answer = await agent.shake()
            codes.append(answer.code if isinstance(answer, CloseLink) else "welcome")
        codes += [message.code for message in agent.got if isinstance(message, Rejected)]
    assert sorted(codes) == ["cloned", "rejected", "welcome"]


def test_there_is_nothing_to_choose_where_nothing_diverged(fleet: LinkedFleet) -> None:
    """Nor may a holder be named that is not there, or a host."""
    host = fleet.add(10)
    keep = api_clones.KeepRequest("nobody")
    for node_id, code in ((host.node_id, "conflict"), ("unknown", "not_found")):
        refused = fleet.store.write_now(
            partial(clones.keep, by=OPERATOR, node_id=node_id, request=keep)
        )
        assert isinstance(refused, Refusal)
        assert refused.kind == code


def note(text: str) -> Audit:
    return Audit("agent.started", text)


@pytest.mark.hostile
async def test_what_a_copy_wrote_keeps_the_real_host_from_nothing(fleet: LinkedFleet) -> None:
    """Its words stand in the journal when it is found; the one that is chosen begins anew."""
    real, copy = fleet.add(10), FakeHost(10)
    held = await link_once(fleet, real, None)
    stolen = held
    for _ in range(2):
        agent = LinkAgent(copy, ratchet=stolen)
        async with linked(fleet, agent):
            answer = await agent.shake()
            assert isinstance(answer, Welcome)
            stolen = Held(answer.ratchet_seq, answer.ratchet)
            await agent.say(Journal(tuple(copy.say(note("copy"), note("copy again")))))
            assert (await agent.expect(Ack)).seq == len(copy.entries)
    held = await link_once(fleet, real, held)
    (found,) = fleet.store.write_now(clones.listing)
    kept = api_clones.KeepRequest(found.holders[1].holder_id)
    fleet.store.write_now(lambda tx: clones.keep(tx, OPERATOR, real.node_id, kept))
    real.say(note("one"))
    for number in (1, 2):
        agent = LinkAgent(real, ratchet=held)
        async with linked(fleet, agent):
            answer = await agent.shake()
            assert isinstance(answer, Welcome)
            assert (answer.approval, answer.acked) == ("approved", number - 1)
            held = Held(answer.ratchet_seq, answer.ratchet)
            await agent.say(Journal(tuple(real.entries[answer.acked :])))
            assert (await agent.expect(Ack)).seq == number
        real.say(note("two"))


@pytest.mark.hostile
async def test_the_journal_of_one_of_several_is_heard_once_somebody_has_chosen(
    fleet: LinkedFleet,
) -> None:
    """A copy must not write into it; a host with a long one is not sent away for it either."""
    real, copy = fleet.add(10), FakeHost(10)
    held = stolen = await link_once(fleet, real, None)
    for _ in range(2):
        held = await link_once(fleet, real, held)
    agent = LinkAgent(copy, ratchet=stolen)
    async with linked(fleet, agent):
        answer = await agent.shake()
        assert isinstance(answer, Welcome)
        assert answer.approval == "pending"
        for _ in range(3):
            await agent.say(Journal(tuple(copy.say(*(note("copy") for _ in range(200))))))
        await agent.say(Heartbeat(1.0, ()))
        assert (await agent.expect(Ack)).seq == 0
    assert fleet.store.read_now(lambda tx: journals.head(tx, real.node_id)).seq == 0
