"""What the agent's end promises alone; the two ends together stand in `test_session.py`."""

from __future__ import annotations

import pytest

from protocol import messages
from protocol.errors import DecodeError, LocalProtocolError
from protocol.messages import Facts, Hello, Welcome
from protocol.session import AgentState, CloseLink, Received, Send
from tests.fakes.link_messages import APPROVED
from tests.fakes.link_pair import AGENT, FACTS, LinkPair


def test_start_sends_a_hello_with_a_signed_sealing_key_once() -> None:
    """The first frame says who the agent is; starting twice is a bug of ours."""
    pair = LinkPair()
    (action,) = pair.agent.start(0.0)
    assert isinstance(action, Send)
    hello = messages.decode_up(action.frame)
    assert isinstance(hello, Hello)
    assert (hello.public_key, hello.sealing_key) == (AGENT.public, FACTS.sealing_key)
    with pytest.raises(LocalProtocolError):
        pair.agent.start(0.0)


def test_a_welcome_that_rejects_ends_the_link() -> None:
    """The owner sees the welcome, then the close."""
    pair = LinkPair()
    pair.shake()
    said = Welcome(APPROVED.node_id, "rejected", 0, 0, 0.0, "a/b/c")
    actions = pair.agent.receive(messages.encode(said), 0.0)
    assert actions[0] == Received(said)
    assert isinstance(actions[1], CloseLink)
    assert pair.agent.state is AgentState.CLOSED


def test_a_message_over_a_frame_is_refused_and_the_link_lives_on() -> None:
    """Too much at once is our own mistake, not the end of the link."""
    pair = LinkPair()
    pair.establish(APPROVED)
    with pytest.raises(DecodeError):
        pair.agent.send(Facts({"x": "y" * 1_048_576}))
    assert pair.agent.state is AgentState.APPROVED
