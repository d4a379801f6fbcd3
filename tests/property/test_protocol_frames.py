"""Whatever bytes a peer sends, decoding answers with a value or with `DecodeError`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import discovery, dsse, enrolment, messages
from protocol.errors import DecodeError
from protocol.session import AgentState, CoordinatorState
from tests.fakes.link_messages import APPROVED, TO_AGENT, TO_COORDINATOR
from tests.fakes.link_pair import LinkPair
from tests.fakes.people import NOW, decision, key, sign_decision

ENVELOPE = sign_decision(decision(), 1)
DATAGRAM = discovery.encode(
    discovery.Announcement(("https://c:1",), key(9).public, b"", NOW, b"\x01" * 16), key(9)
)
SEEDS = [
    *(messages.encode(message) for message in (*TO_AGENT.values(), *TO_COORDINATOR.values())),
    dsse.encode(ENVELOPE),
    DATAGRAM,
]
DECODERS: list[Callable[[bytes], object]] = [
    messages.decode_up,
    messages.decode_down,
    dsse.decode,
    discovery.decode,
    lambda data: enrolment.decode(data.decode("latin-1")),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a good frame with a few bytes changed, cut off or put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 3))
        data[at : at + cut] = draw(st.binary(max_size=3))
    return bytes(data)


FRAMES = damaged() | st.binary(max_size=64)


@pytest.mark.parametrize("decode", DECODERS)
@given(data=FRAMES)
def test_decoding_gives_a_value_or_a_decode_error(
    decode: Callable[[bytes], object], data: bytes
) -> None:
    """No other exception comes out, so no peer can bring a task down."""
    try:
        decode(data)
    except DecodeError:
        return


@given(data=FRAMES, begun=st.booleans())
def test_a_session_survives_every_frame(data: bytes, begun: bool) -> None:
    """It goes on or closes, on both sides and in every phase."""
    pair = LinkPair()
    if begun:
        pair.establish(APPROVED)
    else:
        pair.coordinator.start(pair.now)
        pair.agent.start(pair.now)
    pair.agent.receive(data, pair.now)
    pair.coordinator.receive(data, pair.now)
    if not begun:
        assert pair.agent.state in {AgentState.WAIT_CHALLENGE, AgentState.CLOSED}
        assert pair.coordinator.state in {
            CoordinatorState.WAIT_HELLO,
            CoordinatorState.WAIT_PROOF,
            CoordinatorState.CLOSED,
        }
