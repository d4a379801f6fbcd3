"""Both ends together: every message crosses as bytes, and every pair of the tables is tried."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from protocol import messages
from protocol.artifacts import ArtifactAsk
from protocol.errors import LocalProtocolError
from protocol.messages import (
    Ack,
    Close,
    Facts,
    Heartbeat,
    Journal,
    Rejected,
)
from protocol.session import (
    AgentState,
    Authenticated,
    CloseLink,
    CoordinatorState,
    Established,
    Event,
    Log,
    Received,
    Send,
)
from protocol.session_table import AGENT_TABLE, COORDINATOR_TABLE
from tests.fakes.link_messages import APPROVED, DOWN, NODE, PENDING, TO_AGENT, TO_COORDINATOR, UP
from tests.fakes.link_pair import COORDINATOR, FACTS, LinkPair


def test_the_handshake_authenticates_both_sides() -> None:
    """After four messages each side knows who the other is."""
    pair = LinkPair(secret=b"\x07" * 32)
    pair.establish(APPROVED)
    (found,) = [a for a in pair.to_coordinator if isinstance(a, Authenticated)]
    assert (found.node_id, found.enrolment_secret) == (NODE, b"\x07" * 32)
    assert found.hello.hostname == FACTS.hostname
    assert pair.to_agent == [Established(APPROVED, COORDINATOR.public)]
    assert pair.agent.state is AgentState.APPROVED
    assert pair.coordinator.state is CoordinatorState.APPROVED


def test_trust_on_first_use_tells_the_owner_which_key_it_met() -> None:
    """Without a pin the handshake goes on, and the owner gets the key to pin."""
    pair = LinkPair(pinned=None)
    pair.establish(PENDING)
    assert pair.to_agent == [Established(PENDING, COORDINATOR.public)]


def test_every_message_up_arrives_as_it_was_sent() -> None:
    """Each crosses as bytes; a heartbeat is answered with what is stored."""
    pair = LinkPair()
    pair.establish(APPROVED)
    for message in UP.values():
        assert isinstance(message, (Facts, Journal, Heartbeat, ArtifactAsk))
        pair.push(pair.agent.send(message), from_agent=True)
    assert pair.to_coordinator[-len(UP) :] == [Received(m) for m in UP.values()]  # type: ignore[arg-type]  # checked above
    assert pair.to_agent[-1] == Received(Ack(7))


def test_every_message_down_arrives_as_it_was_sent() -> None:
    """All that a coordinator says to an approved agent crosses as bytes."""
    pair = LinkPair()
    pair.establish(APPROVED)
    for message in DOWN.values():
        pair.push(pair.coordinator.send(message), from_agent=False)
        assert pair.to_agent[-1] == Received(message)


def test_the_answer_to_a_heartbeat_is_the_highest_acknowledged_entry() -> None:
    """Acks never go back, and the answer repeats the last."""
    pair = LinkPair()
    pair.establish(APPROVED)
    pair.push(pair.coordinator.send(Ack(12)), from_agent=False)
    pair.push(pair.coordinator.send(Ack(11)), from_agent=False)
    pair.push(pair.agent.send(Heartbeat(1.0)), from_agent=True)
    assert pair.to_agent[-1] == Received(Ack(12))


def test_approval_comes_and_goes_on_a_living_link() -> None:
    """Pending to approved and back, each told to the agent by a welcome."""
    pair = LinkPair()
    pair.establish(PENDING)
    assert pair.agent.state is AgentState.PENDING
    pair.push(pair.coordinator.welcome(APPROVED, pair.now), from_agent=False)
    assert pair.to_agent[-1] == Received(APPROVED)
    assert pair.agent.state is AgentState.APPROVED
    pair.push(pair.coordinator.welcome(PENDING, pair.now), from_agent=False)
    assert pair.agent.state is AgentState.PENDING


def test_a_rejected_agent_learns_why_and_both_ends_close() -> None:
    """The message reaches the agent's owner before the close."""
    pair = LinkPair()
    pair.shake()
    said = Rejected("rejected", "an operator said no", 600.0)
    pair.push(pair.coordinator.reject(said), from_agent=False)
    assert pair.to_agent == [Received(said), CloseLink("rejected", "an operator said no")]
    assert pair.agent.state is AgentState.CLOSED
    assert pair.coordinator.state is CoordinatorState.CLOSED


def test_a_version_that_nobody_shares_is_rejected_with_the_versions_spoken() -> None:
    """The agent is told what would be right."""
    pair = LinkPair()
    pair.push(pair.coordinator.start(pair.now), from_agent=False)
    (hello,) = [a.frame for a in pair.agent.start(pair.now) if isinstance(a, Send)]
    other = msgspec.structs.replace(messages.decode_up(hello), versions=(99,))  # type: ignore[call-overload]  # a Hello
    actions = pair.coordinator.receive(messages.encode(other), pair.now)
    assert isinstance(actions[0], Send)
    answer = messages.decode_down(actions[0].frame)
    assert answer == Rejected("version", "this coordinator speaks link versions 1")


def test_a_close_of_either_side_ends_both() -> None:
    """A last word crosses the link, and a second close does nothing."""
    pair = LinkPair()
    pair.establish(APPROVED)
    pair.push(pair.agent.close("stopping"), from_agent=True)
    assert pair.to_coordinator[-2:] == [Received(Close("stopping")), CloseLink("stopping", "")]
    assert pair.coordinator.state is CoordinatorState.CLOSED
    assert pair.agent.close("again") == pair.coordinator.close("again") == []
    other = LinkPair()
    other.establish(APPROVED)
    other.push(other.coordinator.close("drain"), from_agent=False)
    assert other.to_agent[-2:] == [Received(Close("drain")), CloseLink("drain", "")]


def test_heartbeats_keep_a_silent_link_alive_and_their_absence_ends_it() -> None:
    """Over an hour of nothing but ticks both ends live; without answers the agent gives up."""
    pair = LinkPair()
    pair.establish(APPROVED)
    for _ in range(240):
        wake = pair.agent.next_wake()
        assert wake is not None
        pair.now = wake
        pair.push(pair.agent.tick(pair.now), from_agent=True)
        pair.push(pair.coordinator.tick(pair.now), from_agent=False)
    assert pair.agent.state is AgentState.APPROVED
    assert pair.coordinator.state is CoordinatorState.APPROVED
    last = pair.now
    assert len(pair.agent.tick(last + 44.9)) == 1
    assert pair.agent.tick(last + 45.0)[-1] == CloseLink("dead", "no frame in time")
    assert pair.coordinator.next_wake() == pytest.approx(last + 45.0)
    assert pair.coordinator.tick(last + 45.0)[-1] == CloseLink("dead", "no frame in time")


def test_a_handshake_that_is_not_finished_in_time_is_ended_by_both() -> None:
    """Twenty seconds from the start, however far it came."""
    pair = LinkPair()
    pair.shake()
    assert pair.agent.tick(pair.now + 19.9) == []
    assert pair.coordinator.tick(pair.now + 19.9) == []
    for side in (pair.agent, pair.coordinator):
        assert side.next_wake() == pytest.approx(pair.now + 20.0)
        assert side.tick(pair.now + 20.0)[-1] == CloseLink("handshake_timeout", "no frame in time")
        assert side.next_wake() is None
        assert side.tick(pair.now + 99.0) == []


def agent_in(state: AgentState) -> LinkPair:
    """Return a pair whose agent stands in a state."""
    pair = LinkPair()
    match state:
        case AgentState.NEW:
            pass
        case AgentState.WAIT_CHALLENGE:
            pair.agent.start(pair.now)
        case AgentState.WAIT_WELCOME:
            pair.shake()
        case AgentState.PENDING:
            pair.establish(PENDING)
        case AgentState.APPROVED:
            pair.establish(APPROVED)
        case AgentState.CLOSED:
            pair.agent.start(pair.now)
            pair.agent.close("over")
    assert pair.agent.state is state
    return pair


def coordinator_in(state: CoordinatorState) -> LinkPair:
    """Return a pair whose coordinator stands in a state."""
    pair = LinkPair()
    match state:
        case CoordinatorState.NEW:
            pass
        case CoordinatorState.WAIT_HELLO:
            pair.coordinator.start(pair.now)
        case CoordinatorState.WAIT_PROOF:
            pair.coordinator.start(pair.now)
            (hello,) = [a.frame for a in pair.agent.start(pair.now) if isinstance(a, Send)]
            pair.coordinator.receive(hello, pair.now)
        case CoordinatorState.DECIDING:
            pair.shake()
        case CoordinatorState.PENDING:
            pair.establish(PENDING)
        case CoordinatorState.APPROVED:
            pair.establish(APPROVED)
        case CoordinatorState.CLOSED:
            pair.coordinator.start(pair.now)
            pair.coordinator.close("over")
    assert pair.coordinator.state is state
    return pair


@pytest.mark.parametrize(("state", "event"), list(itertools.product(AgentState, TO_AGENT)), ids=str)
def test_each_message_in_each_state_of_the_agent(state: AgentState, event: Event) -> None:
    """Legal ones lead where the table says; others end the link and reach nobody."""
    pair = agent_in(state)
    actions = pair.agent.receive(messages.encode(TO_AGENT[event]), pair.now)
    if state is AgentState.CLOSED:
        assert actions == []
        assert pair.agent.state is AgentState.CLOSED
    elif (state, event) not in AGENT_TABLE or state is AgentState.NEW:
        assert pair.agent.state is AgentState.CLOSED
        assert {type(a) for a in actions} <= {Log, Send, CloseLink}
        assert isinstance(actions[-1], CloseLink)
        assert actions[-1].code == "protocol_error"
    elif event is not Event.CHALLENGE:  # this one's signature is empty: see the hostile tests
        assert pair.agent.state is AGENT_TABLE[state, event]
        assert isinstance(actions[0], (Received, Established))


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(CoordinatorState, TO_COORDINATOR)), ids=str
)
def test_each_message_in_each_state_of_the_coordinator(
    state: CoordinatorState, event: Event
) -> None:
    """Legal ones lead where the table says; others end the link and reach nobody."""
    pair = coordinator_in(state)
    actions = pair.coordinator.receive(messages.encode(TO_COORDINATOR[event]), pair.now)
    if state is CoordinatorState.CLOSED:
        assert actions == []
        assert pair.coordinator.state is CoordinatorState.CLOSED
    elif (state, event) not in COORDINATOR_TABLE or state is CoordinatorState.NEW:
        assert pair.coordinator.state is CoordinatorState.CLOSED
        assert {type(a) for a in actions} <= {Log, Send, CloseLink}
        assert isinstance(actions[-1], CloseLink)
        assert actions[-1].code == "protocol_error"
    elif event not in {Event.HELLO, Event.PROOF}:  # these are empty: see the hostile tests
        assert pair.coordinator.state is COORDINATOR_TABLE[state, event]
        assert isinstance(actions[0], Received)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(AgentState, UP)), ids=str)
def test_each_call_in_each_state_of_the_agent(state: AgentState, event: Event) -> None:
    """What the table does not know raises, and changes nothing."""
    pair = agent_in(state)
    message = UP[event]
    assert isinstance(message, (Facts, Journal, Heartbeat, ArtifactAsk))
    if (state, event) in AGENT_TABLE:
        assert pair.agent.send(message) == [Send(messages.encode(message))]
    else:
        with pytest.raises(LocalProtocolError):
            pair.agent.send(message)
        assert pair.agent.state is state


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(CoordinatorState, DOWN)), ids=str
)
def test_each_call_in_each_state_of_the_coordinator(state: CoordinatorState, event: Event) -> None:
    """What the table does not know raises, and changes nothing."""
    pair = coordinator_in(state)
    if (state, event) in COORDINATOR_TABLE:
        assert pair.coordinator.send(DOWN[event]) == [Send(messages.encode(DOWN[event]))]
    else:
        with pytest.raises(LocalProtocolError):
            pair.coordinator.send(DOWN[event])
        assert pair.coordinator.state is state
