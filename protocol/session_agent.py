"""The agent's end of the link, without I/O; see `protocol.session` for the rules of use."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from protocol import handshake, ids, keys, messages
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.errors import DecodeError, LocalProtocolError
from protocol.handshake import NONCE_SIZE
from protocol.limits import DEAD_SECONDS, HANDSHAKE_SECONDS, HEARTBEAT_SECONDS
from protocol.messages import (
    VERSIONS,
    Ack,
    Cancel,
    Challenge,
    Close,
    Desired,
    Facts,
    Heartbeat,
    Hello,
    Journal,
    Offer,
    Proof,
    Rejected,
    RevocationUpdate,
    RosterUpdate,
    StatementUpdate,
    Welcome,
)
from protocol.ratchet import Held, prove
from protocol.reasons import Reason
from protocol.session_actions import (
    Action,
    CloseLink,
    Established,
    NewCoordinatorKey,
    Received,
    Send,
)
from protocol.session_events import down_event, last_words, up_event, welcome_event
from protocol.session_table import AGENT_TABLE, AgentState, Event

# A coordinator cannot send an agent away for longer than this: a lie would cut the host off.
MAX_RETRY_AFTER = 3_600.0


class HelloFacts(msgspec.Struct, frozen=True):
    """What an agent says of itself at the start of a link, besides its keys.

    `node_id` is "" where the id follows from the key.
    """

    sealing_key: bytes
    agent_version: str
    hostname: str
    roster_version: int
    generation: int
    journal_head: int
    node_id: str = ""


class AgentSession:
    """The agent's end; owned by the link task, one per connection."""

    def __init__(
        self,
        identity: keys.SigningKey,
        facts: HelloFacts,
        *,
        nonce: bytes,
        heartbeat: Callable[[float], Heartbeat],
        pinned_coordinator_key: bytes | None,
        enrolment_secret: bytes | None = None,
        ratchet: Held | None = None,
    ) -> None:
        """Prepare a session; `nonce` is 32 fresh random bytes, `heartbeat` builds one at a time.

        `pinned_coordinator_key` is None only where first use is trusted; a secret needs a pin.
        `ratchet` is the value of the last welcome that was stored.
        """
        if len(nonce) != NONCE_SIZE:
            raise LocalProtocolError(f"a nonce has {NONCE_SIZE} bytes, not {len(nonce)}")
        if enrolment_secret is not None and pinned_coordinator_key is None:
            raise LocalProtocolError("an enrolment secret goes to a pinned coordinator only")
        self.state: AgentState = AgentState.NEW
        self._identity = identity
        self._facts = facts
        self._nonce = nonce
        self._heartbeat = heartbeat
        self._pinned = pinned_coordinator_key
        self._secret = enrolment_secret
        self._ratchet = ratchet
        self._hello = b""
        self._coordinator_key = b""
        self._interval = HEARTBEAT_SECONDS
        self._deadline = math.inf
        self._beat_at = math.inf

    def start(self, now: float) -> list[Action]:
        """Begin the handshake."""
        self._local(Event.START)
        self._deadline = now + HANDSHAKE_SECONDS
        facts = self._facts
        hello = Hello(
            versions=VERSIONS,
            public_key=self._identity.public,
            sealing_key=facts.sealing_key,
            sealing_sig=handshake.sign_sealing_key(self._identity, facts.sealing_key),
            nonce=self._nonce,
            agent_version=facts.agent_version,
            hostname=facts.hostname,
            roster_version=facts.roster_version,
            generation=facts.generation,
            journal_head=facts.journal_head,
            node_id=facts.node_id,
        )
        self._hello = messages.encode(hello)
        return [Send(self._hello)]

    def receive(self, frame: bytes, now: float) -> list[Action]:
        """Take in one frame from the coordinator."""
        if self.state is AgentState.CLOSED:
            return []
        try:
            message = messages.decode_down(frame)
        except DecodeError as error:
            return self._fault("bad_frame", str(error))
        event = down_event(message)
        if (self.state, event) not in AGENT_TABLE or self.state is AgentState.NEW:
            return self._fault("protocol_error", f"{event} while {self.state}")
        match message:
            case Challenge():
                return self._challenge(message, frame)
            case Welcome():
                return self._welcome(message, now)
            case Rejected():
                self.state = AGENT_TABLE[self.state, Event.REJECTED]
                return [Received(_tamed(message)), CloseLink("rejected", message.message)]
            case Close():
                self.state = AGENT_TABLE[self.state, Event.CLOSE]
                return [Received(message), CloseLink(message.code, message.message)]
            case (
                Desired()
                | Offer()
                | Cancel()
                | RosterUpdate()
                | StatementUpdate()
                | RevocationUpdate()
                | ArtifactPart()
                | Ack()
            ):
                self.state = AGENT_TABLE[self.state, event]
                self._deadline = now + DEAD_SECONDS
                return [Received(message)]

    def _challenge(self, message: Challenge, frame: bytes) -> list[Action]:
        if message.version not in VERSIONS:
            return self._fault("version", f"the coordinator chose version {message.version}")
        if len(message.nonce) != NONCE_SIZE or message.public_key == self._identity.public:
            return self._fault("bad_handshake", "the challenge is malformed")
        actions: list[Action] = []
        if self._pinned is not None and message.public_key != self._pinned:
            key = handshake.follow_rotations(self._pinned, message.rotations)
            if key != message.public_key:
                detail = f"coordinator key {ids.fingerprint(message.public_key)} is not the pinned"
                text = f"{detail} {ids.fingerprint(self._pinned)}"
                return self._fault("key_changed", text, Reason.COORDINATOR_KEY_CHANGED)
            actions.append(NewCoordinatorKey(key))
        transcript = handshake.coordinator_transcript(
            self._hello, message.nonce, message.public_key, message.version
        )
        if not keys.verify(message.public_key, message.signature, transcript):
            return self._fault("bad_handshake", "the coordinator's signature does not hold")
        self.state = AGENT_TABLE[self.state, Event.CHALLENGE]
        self._coordinator_key = message.public_key
        signed = handshake.agent_transcript(self._hello, frame)
        proof = Proof(self._identity.sign(signed), self._secret, *prove(self._ratchet, signed))
        return [*actions, Send(messages.encode(proof))]

    def _welcome(self, message: Welcome, now: float) -> list[Action]:
        if message.node_id != (self._facts.node_id or ids.node_id(self._identity.public)):
            return self._fault("bad_handshake", "the welcome is for another node")
        first = self.state is AgentState.WAIT_WELCOME
        if message.approval == "rejected":
            self.state = AGENT_TABLE[self.state, Event.REJECTED]
            return [Received(message), CloseLink("rejected", "an operator rejected this host")]
        self.state = AGENT_TABLE[self.state, welcome_event(message)]
        self._deadline = now + DEAD_SECONDS
        # NaN fails both comparisons, so anything odd leaves the default.
        if 1.0 <= message.heartbeat <= HEARTBEAT_SECONDS:
            self._interval = message.heartbeat
        if not first:
            return [Received(message)]
        self._beat_at = now + self._interval
        return [Established(message, self._coordinator_key)]

    def send(self, message: Facts | Journal | Heartbeat | ArtifactAsk) -> list[Action]:
        """Send a message on an established link.

        Raises:
            LocalProtocolError: the link is not established.
            DecodeError: the message does not fit a frame.
        """
        frame = messages.encode(message)
        self._local(up_event(message))
        return [Send(frame)]

    def close(self, code: str, message: str = "") -> list[Action]:
        """End the session with a last word; nothing if it is over already."""
        return [] if self.state is AgentState.CLOSED else self._fault(code, message)

    def tick(self, now: float) -> list[Action]:
        """Do what time demands: a heartbeat, or the end of a link that is silent for too long."""
        if self.state in {AgentState.NEW, AgentState.CLOSED}:
            return []
        if now >= self._deadline:
            established = self.state in {AgentState.PENDING, AgentState.APPROVED}
            return self._fault("dead" if established else "handshake_timeout", "no frame in time")
        if now < self._beat_at:
            return []
        self._beat_at = now + self._interval
        return [Send(messages.encode(self._heartbeat(now)))]

    def next_wake(self) -> float | None:
        """Return when `tick` has something to do, or None."""
        if self.state in {AgentState.NEW, AgentState.CLOSED}:
            return None
        return min(self._deadline, self._beat_at)

    def _local(self, event: Event) -> None:
        after = AGENT_TABLE.get((self.state, event))
        if after is None:
            raise LocalProtocolError(f"{event} is not possible while the link is {self.state}")
        self.state = after

    def _fault(self, code: str, text: str, reason: Reason | None = None) -> list[Action]:
        said = self.state is not AgentState.NEW
        self.state = AGENT_TABLE[self.state, Event.FAULT]
        return last_words(code, text, reason, said=said)


def _tamed(message: Rejected) -> Rejected:
    # NaN fails the comparison and becomes the limit too.
    wait = message.retry_after if 0.0 <= message.retry_after <= MAX_RETRY_AFTER else MAX_RETRY_AFTER
    return Rejected(message.code, message.message, wait)
