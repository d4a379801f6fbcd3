"""Every message has its event, and an end by us says so to the peer if there is one."""

from __future__ import annotations

from typing import get_args

from protocol import messages
from protocol.messages import Close
from protocol.session import CloseLink, Event, Log, Send
from protocol.session_events import down_event, last_words, up_event
from tests.fakes.link_messages import SIGNED, TO_AGENT, TO_COORDINATOR


def test_every_message_type_stands_for_an_event() -> None:
    """The samples cover all message types of both directions."""
    samples = {type(m) for m in (*TO_AGENT.values(), *SIGNED)}
    assert samples == set(get_args(messages.Down))
    assert {down_event(message) for message in SIGNED} == {Event.ROSTER}
    assert {type(m) for m in TO_COORDINATOR.values()} == set(get_args(messages.Up))
    for event, message in TO_AGENT.items():
        assert down_event(message) is event
    for event, message in TO_COORDINATOR.items():
        assert up_event(message) is event
    assert Event.FAULT not in TO_AGENT


def test_last_words_are_bounded() -> None:
    """A peer's own garbage quoted back cannot grow the close."""
    log, send, close = last_words("code", "x" * 5_000, None, said=True)
    assert isinstance(log, Log)
    assert isinstance(send, Send)
    assert messages.decode_down(send.frame) == Close("code", "x" * 1_024)
    assert isinstance(close, CloseLink)
    assert len(last_words("code", "", None, said=False)) == 2
