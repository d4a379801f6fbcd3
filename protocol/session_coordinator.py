"""The coordinator's end of the link, without I/O; see `protocol.session` for the rules of use."""

from __future__ import annotations

import math

from protocol import dsse, handshake, ids, keys, messages
from protocol.artifacts import ArtifactAsk
from protocol.canonical import MAX_INTEGER
from protocol.errors import DecodeError, InvalidName, LocalProtocolError
from protocol.handshake import NONCE_SIZE
from protocol.limits import (
    DEAD_SECONDS,
    HANDSHAKE_SECONDS,
    MAX_HOSTNAME,
    MAX_JOURNAL_ENTRIES,
)
from protocol.messages import (
    VERSIONS,
    Ack,
    Challenge,
    Close,
    Facts,
    Heartbeat,
    Hello,
    Journal,
    Proof,
    Rejected,
    Told,
    Welcome,
)
from protocol.ratchet import Claim
from protocol.session_actions import Action, Authenticated, CloseLink, Received, Send
from protocol.session_events import down_event, last_words, up_event, welcome_event
from protocol.session_table import COORDINATOR_TABLE, CoordinatorState, Event

# Versions that a hello may list, and the length of the version string that it shows.
MAX_VERSIONS = 16
MAX_AGENT_VERSION = 64


class CoordinatorSession:
    """The coordinator's end; owned by the link handler, one per connection."""

    def __init__(
        self,
        identity: keys.SigningKey,
        *,
        nonce: bytes,
        rotations: tuple[dsse.Envelope, ...] = (),
    ) -> None:
        """Prepare a session; `nonce` is 32 fresh random bytes."""
        if len(nonce) != NONCE_SIZE:
            raise LocalProtocolError(f"a nonce has {NONCE_SIZE} bytes, not {len(nonce)}")
        self.state: CoordinatorState = CoordinatorState.NEW
        self._identity = identity
        self._nonce = nonce
        self._rotations = rotations
        self._hello: Hello | None = None
        self._frames = (b"", b"")
        self._acked = 0
        self._deadline = math.inf

    def start(self, now: float) -> list[Action]:
        """Begin to wait for the agent's hello."""
        self._local(Event.START)
        self._deadline = now + HANDSHAKE_SECONDS
        return []

    def receive(self, frame: bytes, now: float) -> list[Action]:
        """Take in one frame from the agent."""
        if self.state is CoordinatorState.CLOSED:
            return []
        try:
            message = messages.decode_up(frame)
        except DecodeError as error:
            return self._fault("bad_frame", str(error))
        event = up_event(message)
        if (self.state, event) not in COORDINATOR_TABLE or self.state is CoordinatorState.NEW:
            return self._fault("protocol_error", f"{event} while {self.state}")
        match message:
            case Hello():
                return self._on_hello(message, frame)
            case Proof():
                return self._on_proof(message)
            case Close():
                self.state = COORDINATOR_TABLE[self.state, Event.CLOSE]
                return [Received(message), CloseLink(message.code, message.message)]
            case Facts() | Journal() | Heartbeat() | ArtifactAsk():
                return self._on_report(message, event, now)

    def _on_hello(self, hello: Hello, frame: bytes) -> list[Action]:
        wrong = _check_hello(hello)
        if wrong is not None:
            return self._fault("bad_handshake", wrong)
        version = next((v for v in VERSIONS if v in hello.versions), None)
        if version is None:
            text = f"this coordinator speaks link versions {', '.join(map(str, VERSIONS))}"
            return self.reject(Rejected("version", text))
        self.state = COORDINATOR_TABLE[self.state, Event.HELLO]
        public = self._identity.public
        transcript = handshake.coordinator_transcript(frame, self._nonce, public, version)
        signature = self._identity.sign(transcript)
        challenge = Challenge(version, public, self._nonce, signature, self._rotations)
        self._hello, self._frames = hello, (frame, messages.encode(challenge))
        return [Send(self._frames[1])]

    def _on_proof(self, proof: Proof) -> list[Action]:
        hello = self._hello
        if hello is None:  # the table lets no proof through before a hello
            raise LocalProtocolError("a proof without a hello")
        transcript = handshake.agent_transcript(*self._frames)
        if not keys.verify(hello.public_key, proof.signature, transcript):
            return self._fault("bad_handshake", "the agent's signature does not hold")
        secret = proof.enrolment_secret
        if secret is not None and len(secret) != NONCE_SIZE:
            return self._fault("bad_handshake", "the enrolment secret is not 32 bytes")
        self.state = COORDINATOR_TABLE[self.state, Event.PROOF]
        claim = Claim(proof.ratchet_seq, proof.ratchet_proof, transcript)
        node_id = hello.node_id or ids.node_id(hello.public_key)
        return [Authenticated(hello, node_id, secret, claim)]

    def _on_report(
        self, message: Facts | Journal | Heartbeat | ArtifactAsk, event: Event, now: float
    ) -> list[Action]:
        if isinstance(message, Journal) and len(message.entries) > MAX_JOURNAL_ENTRIES:
            return self._fault("protocol_error", f"more than {MAX_JOURNAL_ENTRIES} entries at once")
        self.state = COORDINATOR_TABLE[self.state, event]
        self._deadline = now + DEAD_SECONDS
        if isinstance(message, Heartbeat):
            # The answer is the agent's sign of life of this side; it repeats what is stored.
            return [Received(message), Send(messages.encode(Ack(self._acked)))]
        return [Received(message)]

    def welcome(self, message: Welcome, now: float) -> list[Action]:
        """Accept the agent, pending or approved; again later when its approval changes.

        Raises:
            LocalProtocolError: it has not proved itself, or the message rejects it.
        """
        if message.approval == "rejected":
            raise LocalProtocolError("a rejected agent gets `reject`, not `welcome`")
        self._local(welcome_event(message))
        self._deadline = now + DEAD_SECONDS
        self._acked = max(self._acked, message.acked)
        return [Send(messages.encode(message))]

    def reject(self, message: Rejected) -> list[Action]:
        """Send the agent away and end the link.

        Raises:
            LocalProtocolError: the link is over or has not begun.
        """
        self._local(Event.REJECTED)
        return [Send(messages.encode(message)), CloseLink(message.code, message.message)]

    def send(self, message: Told) -> list[Action]:
        """Send a message on an established link.

        Raises:
            LocalProtocolError: not established, or work for an agent that is not approved.
            DecodeError: the message does not fit a frame.
        """
        frame = messages.encode(message)
        self._local(down_event(message))
        if isinstance(message, Ack):
            self._acked = max(self._acked, message.seq)
        return [Send(frame)]

    def close(self, code: str, message: str = "") -> list[Action]:
        """End the session with a last word; nothing if it is over already."""
        return [] if self.state is CoordinatorState.CLOSED else self._fault(code, message)

    def tick(self, now: float) -> list[Action]:
        """End a link that is silent for too long."""
        if self.state is CoordinatorState.CLOSED or now < self._deadline:
            return []
        established = self.state in {CoordinatorState.PENDING, CoordinatorState.APPROVED}
        return self._fault("dead" if established else "handshake_timeout", "no frame in time")

    def next_wake(self) -> float | None:
        """Return when `tick` has something to do, or None."""
        over = self.state in {CoordinatorState.NEW, CoordinatorState.CLOSED}
        return None if over else self._deadline

    def _local(self, event: Event) -> None:
        after = COORDINATOR_TABLE.get((self.state, event))
        if after is None:
            raise LocalProtocolError(f"{event} is not possible while the link is {self.state}")
        self.state = after

    def _fault(self, code: str, text: str) -> list[Action]:
        said = self.state is not CoordinatorState.NEW
        self.state = COORDINATOR_TABLE[self.state, Event.FAULT]
        return last_words(code, text, None, said=said)


def _check_hello(hello: Hello) -> str | None:
    sizes = len(hello.public_key), len(hello.nonce)
    if sizes != (keys.PUBLIC_SIZE, NONCE_SIZE):
        return "public key and nonce have 32 bytes each"
    if len(hello.versions) > MAX_VERSIONS or len(hello.agent_version) > MAX_AGENT_VERSION:
        return "the list of versions or the version string is too long"
    if not 1 <= len(hello.hostname) <= MAX_HOSTNAME:
        return f"a hostname has 1 to {MAX_HOSTNAME} characters"
    counters = hello.roster_version, hello.generation, hello.journal_head
    if not 0 <= min(counters) <= max(counters) <= MAX_INTEGER:
        return "a counter is outside its range"
    try:
        ids.check_node_id(hello.node_id or ids.node_id(hello.public_key))
    except InvalidName as error:
        return str(error)
    if not handshake.sealing_key_holds(hello.public_key, hello.sealing_key, hello.sealing_sig):
        return "the sealing key is not signed by the identity key"
    return None
