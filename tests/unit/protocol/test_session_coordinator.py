"""What the coordinator's end promises alone; both ends together stand in `test_session.py`."""

from __future__ import annotations

import msgspec
import pytest

from protocol.errors import DecodeError, LocalProtocolError
from protocol.messages import Desired, Rejected
from protocol.session import CoordinatorSession, CoordinatorState
from tests.fakes.link_messages import APPROVED
from tests.fakes.link_pair import COORDINATOR, LinkPair


def test_a_nonce_of_another_size_is_a_bug_of_ours() -> None:
    """Thirty-two random bytes, or no session."""
    with pytest.raises(LocalProtocolError):
        CoordinatorSession(COORDINATOR, nonce=b"short")


def test_welcome_and_reject_need_an_agent_that_proved_itself() -> None:
    """Before the proof there is nobody to welcome."""
    pair = LinkPair()
    for call in (
        lambda: pair.coordinator.welcome(APPROVED, 0.0),
        lambda: pair.coordinator.reject(Rejected("no", "")),
    ):
        with pytest.raises(LocalProtocolError):
            call()
    assert pair.coordinator.state is CoordinatorState.NEW


def test_a_welcome_cannot_reject() -> None:
    """Rejection has a message of its own."""
    pair = LinkPair()
    pair.shake()
    with pytest.raises(LocalProtocolError):
        pair.coordinator.welcome(msgspec.structs.replace(APPROVED, approval="rejected"), 0.0)
    assert pair.coordinator.state is CoordinatorState.DECIDING


def test_a_message_over_a_frame_is_refused_and_the_link_lives_on() -> None:
    """Too much at once is our own mistake, not the end of the link."""
    pair = LinkPair()
    pair.establish(APPROVED)
    with pytest.raises(DecodeError):
        pair.coordinator.send(Desired(1, b"x" * 1_048_576))
    assert pair.coordinator.state is CoordinatorState.APPROVED
