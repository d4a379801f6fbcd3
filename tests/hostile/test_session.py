"""Attacks on the link handshake: somebody in the middle, with everything that crossed before."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest

from protocol import handshake, ids, messages
from protocol.errors import LocalProtocolError
from protocol.keys import SigningKey
from protocol.messages import Challenge, Facts, Heartbeat, Hello, Proof, Rejected, Welcome
from protocol.reasons import Reason
from protocol.session import (
    Action,
    AgentSession,
    AgentState,
    Authenticated,
    CloseLink,
    CoordinatorSession,
    CoordinatorState,
    Established,
    NewCoordinatorKey,
    Received,
    Send,
)
from tests.fakes.link_pair import AGENT, COORDINATOR, FACTS, LinkPair

pytestmark = pytest.mark.hostile
MALLORY = SigningKey(b"\x42" * 32)
NODE = ids.node_id(AGENT.public)
WELCOME = Welcome(NODE, "approved", 0, 0, 0.0, "default/default/default")


def ended(actions: list[Action]) -> CloseLink:
    """Return the one close in actions, having checked that nothing but last words goes with it."""
    closes = [action for action in actions if isinstance(action, CloseLink)]
    assert len(closes) == 1
    assert not [a for a in actions if isinstance(a, (Received, Authenticated, Established))]
    return closes[0]


def frame_of(actions: list[Action]) -> bytes:
    """Return the one frame that actions send."""
    (frame,) = [action.frame for action in actions if isinstance(action, Send)]
    return frame


def new_agent(
    pinned: bytes | None = COORDINATOR.public, secret: bytes | None = None
) -> AgentSession:
    """Return an agent's session with a fixed nonce."""
    return AgentSession(
        AGENT,
        FACTS,
        nonce=b"\x0a" * 32,
        heartbeat=Heartbeat,
        pinned_coordinator_key=pinned,
        enrolment_secret=secret,
    )


def new_coordinator(
    nonce: bytes = b"\x0c" * 32, key: SigningKey = COORDINATOR
) -> CoordinatorSession:
    """Return a coordinator's session that waits for a hello."""
    session = CoordinatorSession(key, nonce=nonce)
    session.start(0.0)
    return session


def test_another_coordinator_is_refused_before_the_secret_is_sent() -> None:
    """A wrong key gets no proof and no enrolment secret, and the reason says what happened."""
    pair = LinkPair(coordinator=MALLORY, secret=b"\x07" * 32)
    pair.shake()
    close = ended(pair.to_agent)
    assert close.reason is Reason.COORDINATOR_KEY_CHANGED
    assert not any(b"\x07" * 32 in frame for frame in pair.up)


def test_a_coordinator_that_shows_the_pinned_key_without_holding_it_is_refused() -> None:
    """The signature, not the key shown, is what counts."""
    agent = new_agent(secret=b"\x07" * 32)
    hello = frame_of(agent.start(0.0))
    nonce = b"\x0c" * 32
    transcript = handshake.coordinator_transcript(hello, nonce, COORDINATOR.public, 1)
    forged = Challenge(1, COORDINATOR.public, nonce, MALLORY.sign(transcript))
    assert ended(agent.receive(messages.encode(forged), 0.0)).code == "bad_handshake"
    assert agent.state is AgentState.CLOSED


@pytest.mark.parametrize(
    "change",
    [
        {"versions": (1, 0)},
        {"versions": ()},
        {"nonce": b"\x0b" * 32},
        {"agent_version": "0.0.9"},
        {"roster_version": 9},
        {"journal_head": 5},
        {"hostname": "other"},
    ],
    ids=str,
)
def test_a_hello_changed_on_the_way_breaks_the_handshake(change: dict[str, object]) -> None:
    """Whatever is stripped or edited in the hello (versions above all), the agent notices."""
    agent, coordinator = new_agent(), new_coordinator()
    hello = messages.decode_up(frame_of(agent.start(0.0)))
    changed = msgspec.structs.replace(hello, **change)  # type: ignore[arg-type]  # fields as named
    answer = coordinator.receive(messages.encode(changed), 0.0)
    frame = next(action.frame for action in answer if isinstance(action, Send))
    if isinstance(messages.decode_down(frame), Challenge):
        assert ended(agent.receive(frame, 0.0)).code == "bad_handshake"
    else:
        assert coordinator.state is CoordinatorState.CLOSED


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": 0},
        {"nonce": b"\x0d" * 32},
        {"nonce": b""},
        {"public_key": MALLORY.public},
        {"public_key": AGENT.public},
        {"signature": b"\0" * 64},
        {"signature": b""},
    ],
    ids=str,
)
def test_a_challenge_changed_on_the_way_is_refused(change: dict[str, object]) -> None:
    """No field of the challenge can be another than the coordinator signed."""
    agent, coordinator = new_agent(), new_coordinator()
    frame = frame_of(coordinator.receive(frame_of(agent.start(0.0)), 0.0))
    changed = msgspec.structs.replace(messages.decode_down(frame), **change)  # type: ignore[arg-type]  # fields as named
    ended(agent.receive(messages.encode(changed), 0.0))
    assert agent.state is AgentState.CLOSED


def test_rotations_added_to_a_challenge_are_noticed_by_the_coordinator() -> None:
    """The agent signs the challenge frame as it came, so an edited one fails at the other end."""
    agent, coordinator = new_agent(), new_coordinator()
    frame = frame_of(coordinator.receive(frame_of(agent.start(0.0)), 0.0))
    statement = handshake.rotation(MALLORY, AGENT.public, 1)
    changed = msgspec.structs.replace(messages.decode_down(frame), rotations=(statement,))  # type: ignore[call-overload]  # a Challenge
    proof = frame_of(agent.receive(messages.encode(changed), 0.0))
    assert ended(coordinator.receive(proof, 0.0)).code == "bad_handshake"


def test_an_old_hello_and_proof_do_not_open_a_new_link() -> None:
    """A recorded handshake is worth nothing against a new nonce."""
    pair = LinkPair()
    pair.establish(WELCOME)
    again = new_coordinator(nonce=b"\x0e" * 32)
    again.receive(pair.up[0], 0.0)
    assert ended(again.receive(pair.up[1], 0.0)).code == "bad_handshake"


def test_an_old_challenge_does_not_satisfy_a_new_agent_session() -> None:
    """The agent's nonce makes each challenge good for one session."""
    pair = LinkPair()
    pair.establish(WELCOME)
    agent = AgentSession(
        AGENT,
        FACTS,
        nonce=b"\x0f" * 32,
        heartbeat=Heartbeat,
        pinned_coordinator_key=COORDINATOR.public,
    )
    agent.start(0.0)
    assert ended(agent.receive(pair.down[0], 0.0)).code == "bad_handshake"


def test_a_reflected_signature_is_refused() -> None:
    """The coordinator's own signature sent back as a proof does not hold: contexts differ."""
    for key in (AGENT, COORDINATOR):
        # Even a host that has the very same key as the coordinator cannot reflect.
        coordinator = new_coordinator(key=key)
        hello = Hello(
            (1,),
            key.public,
            FACTS.sealing_key,
            handshake.sign_sealing_key(key, FACTS.sealing_key),
            b"\x0a" * 32,
            "0.1.0",
            "web1",
            0,
            0,
            0,
        )
        challenge = messages.decode_down(frame_of(coordinator.receive(messages.encode(hello), 0.0)))
        assert isinstance(challenge, Challenge)
        reflected = messages.encode(Proof(challenge.signature))
        assert ended(coordinator.receive(reflected, 0.0)).code == "bad_handshake"


def test_a_proof_by_another_key_is_refused() -> None:
    """Showing a host's public key is not being that host."""
    agent, coordinator = new_agent(), new_coordinator()
    hello = frame_of(agent.start(0.0))
    challenge = frame_of(coordinator.receive(hello, 0.0))
    forged = Proof(MALLORY.sign(handshake.agent_transcript(hello, challenge)), b"\x07" * 32)
    assert ended(coordinator.receive(messages.encode(forged), 0.0)).code == "bad_handshake"


def test_a_sealing_key_that_the_identity_did_not_sign_is_refused() -> None:
    """Nobody can slip another sealing key under a host's name to read its secrets."""
    hello = messages.decode_up(frame_of(new_agent().start(0.0)))
    for change in (
        {"sealing_key": b"\x06" * 32},
        {"sealing_sig": MALLORY.sign(b"standfast/sealing-key/v1\0" + FACTS.sealing_key)},
        {"sealing_sig": b""},
        {"sealing_key": b""},
        {"public_key": MALLORY.public},
        {"public_key": b"\x01" + b"\0" * 31},
        {"public_key": b"short"},
        {"nonce": b"short"},
        {"hostname": "x" * 254},
        {"hostname": ""},
        {"agent_version": "x" * 65},
        {"versions": tuple(range(17))},
        {"journal_head": -1},
        {"generation": 2**63},
    ):
        changed = msgspec.structs.replace(hello, **change)  # type: ignore[arg-type]  # fields as named
        coordinator = new_coordinator()
        assert ended(coordinator.receive(messages.encode(changed), 0.0)).code == "bad_handshake"


def test_a_chain_of_rotations_from_the_pinned_key_is_followed() -> None:
    """A host that was off for two rotations still finds its coordinator, and pins the new key."""
    oldest, older = SigningKey(b"\x31" * 32), SigningKey(b"\x32" * 32)
    chain = (
        handshake.rotation(oldest, older.public, 1),
        handshake.rotation(older, COORDINATOR.public, 2),
    )
    for pinned in (oldest.public, older.public):
        pair = LinkPair(pinned=pinned, rotations=chain)
        pair.establish(WELCOME)
        assert NewCoordinatorKey(COORDINATOR.public) in pair.to_agent
        assert Established(WELCOME, COORDINATOR.public) in pair.to_agent


@pytest.mark.parametrize(
    "statements",
    [
        (handshake.rotation(MALLORY, COORDINATOR.public, 1),),
        (),
        (handshake.rotation(SigningKey(b"\x31" * 32), MALLORY.public, 1),),
        (
            msgspec.structs.replace(
                handshake.rotation(MALLORY, COORDINATOR.public, 1),
                payload=handshake.rotation(SigningKey(b"\x31" * 32), COORDINATOR.public, 1).payload,
            ),
        ),
        (
            msgspec.structs.replace(
                handshake.rotation(SigningKey(b"\x31" * 32), COORDINATOR.public, 1),
                payload_type="application/vnd.standfast.decision.v1+json",
            ),
        ),
    ],
    ids=["stranger", "none", "elsewhere", "moved signature", "another kind"],
)
def test_a_rotation_that_the_pinned_key_did_not_sign_leads_nowhere(
    statements: tuple[messages.dsse.Envelope, ...],
) -> None:
    """Only the pinned key can name its successor."""
    pair = LinkPair(pinned=SigningKey(b"\x31" * 32).public, rotations=statements)
    pair.shake()
    assert ended(pair.to_agent).reason is Reason.COORDINATOR_KEY_CHANGED


def test_a_rotation_without_the_new_key_is_not_taken_over() -> None:
    """Statements are public; who replays them must also hold the new key."""
    old = SigningKey(b"\x31" * 32)
    agent = new_agent(pinned=old.public)
    hello = frame_of(agent.start(0.0))
    nonce = b"\x0c" * 32
    transcript = handshake.coordinator_transcript(hello, nonce, COORDINATOR.public, 1)
    forged = Challenge(
        1,
        COORDINATOR.public,
        nonce,
        MALLORY.sign(transcript),
        (handshake.rotation(old, COORDINATOR.public, 1),),
    )
    actions = agent.receive(messages.encode(forged), 0.0)
    ended(actions)
    assert not [action for action in actions if isinstance(action, NewCoordinatorKey)]


def test_more_rotations_than_the_limit_are_not_followed() -> None:
    """A chain without end costs a bounded number of checks."""
    keys = [SigningKey(bytes([n]) * 32) for n in range(1, 20)]
    chain = tuple(handshake.rotation(old, new.public, 1) for old, new in itertools.pairwise(keys))
    reached = handshake.follow_rotations(keys[0].public, chain)
    assert reached == keys[handshake.MAX_ROTATIONS].public


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x80", b"x" * 1_048_577, b"\x91" * 50_000])
def test_garbage_ends_the_link_on_both_sides(frame: bytes) -> None:
    """Bytes that are no message close the link with a word and do nothing else."""
    agent, coordinator = new_agent(), new_coordinator()
    agent.start(0.0)
    assert ended(agent.receive(frame, 0.0)).code == "bad_frame"
    assert ended(coordinator.receive(frame, 0.0)).code == "bad_frame"


def test_nothing_is_reported_before_the_welcome() -> None:
    """Facts before, or in place of, the proof are a protocol error."""
    coordinator = new_coordinator()
    assert ended(coordinator.receive(messages.encode(Facts({})), 0.0)).code == "protocol_error"
    pair = LinkPair()
    pair.shake()
    actions = pair.coordinator.receive(messages.encode(Heartbeat(1.0)), 0.0)
    assert ended(actions).code == "protocol_error"


def test_a_pending_agent_takes_no_work_and_a_coordinator_cannot_send_it() -> None:
    """Offers wait for the approval, on both sides."""
    offer = messages.Offer("run", "state.plan", "lease", 1, "op")
    pair = LinkPair()
    pair.establish(msgspec.structs.replace(WELCOME, approval="pending"))
    with pytest.raises(LocalProtocolError):
        pair.coordinator.send(offer)
    assert pair.coordinator.state is CoordinatorState.PENDING
    assert ended(pair.agent.receive(messages.encode(offer), 0.0)).code == "protocol_error"


def test_a_welcome_for_another_node_is_refused() -> None:
    """The id in the welcome must be the agent's own."""
    pair = LinkPair()
    pair.shake()
    other = msgspec.structs.replace(WELCOME, node_id=ids.node_id(MALLORY.public))
    assert ended(pair.agent.receive(messages.encode(other), 0.0)).code == "bad_handshake"


@pytest.mark.parametrize("wait", [math.nan, math.inf, -1.0, 1e300])
def test_a_rejection_cannot_send_a_host_away_for_ever(wait: float) -> None:
    """Even before it has proved anything, a peer can ask for an hour at most."""
    agent = new_agent()
    agent.start(0.0)
    actions = agent.receive(messages.encode(Rejected("full", "go away", wait)), 0.0)
    (received,) = [action for action in actions if isinstance(action, Received)]
    assert isinstance(received.message, Rejected)
    assert received.message.retry_after == pytest.approx(3_600.0)


@pytest.mark.parametrize("interval", [math.nan, 0.0, -1.0, 1e9])
def test_a_welcome_cannot_turn_heartbeats_into_a_flood_or_silence(interval: float) -> None:
    """A wild interval leaves the default of 15 s."""
    pair = LinkPair()
    pair.establish(msgspec.structs.replace(WELCOME, heartbeat=interval))
    assert pair.agent.next_wake() == pytest.approx(pair.now + 15.0)


def test_the_enrolment_secret_stays_out_of_what_is_printed() -> None:
    """A secret in a log line would outlive its use."""
    pair = LinkPair(secret=b"\x07" * 32)
    pair.shake()
    (found,) = [a for a in pair.to_coordinator if isinstance(a, Authenticated)]
    assert found.enrolment_secret == b"\x07" * 32
    shown = repr(found) + repr(Proof(b"", b"\x07" * 32))
    assert "x07" not in shown


def test_a_secret_without_a_pin_is_a_bug_of_ours() -> None:
    """Trust on first use never sends a secret to a stranger."""
    with pytest.raises(LocalProtocolError):
        new_agent(pinned=None, secret=b"\x07" * 32)


def test_a_journal_of_too_many_entries_ends_the_link() -> None:
    """A batch over the limit is refused, whatever its size in bytes."""
    pair = LinkPair()
    pair.establish(WELCOME)
    entry = messages.journal.seal(1, messages.journal.GENESIS, 0.0, "audit", b"", AGENT)
    frame = messages.encode(messages.Journal((entry,) * 257))
    assert ended(pair.coordinator.receive(frame, 0.0)).code == "protocol_error"
