"""Both ends of a link joined in memory: every frame crosses as bytes, as on the wire."""

from __future__ import annotations

from protocol import dsse
from protocol.keys import SigningKey
from protocol.messages import Heartbeat, Welcome
from protocol.session import (
    Action,
    AgentSession,
    CoordinatorSession,
    HelloFacts,
    Send,
)

AGENT = SigningKey(b"\x64" * 32)
COORDINATOR = SigningKey(b"\x09" * 32)
FACTS = HelloFacts(b"\x05" * 32, "0.1.0", "web1", 0, 0, 0)


class LinkPair:
    """An agent and a coordinator session; what each yields for its owner is kept in order."""

    def __init__(
        self,
        *,
        pinned: bytes | None = COORDINATOR.public,
        coordinator: SigningKey = COORDINATOR,
        rotations: tuple[dsse.Envelope, ...] = (),
        secret: bytes | None = None,
        facts: HelloFacts = FACTS,
    ) -> None:
        self.now = 1_000.0
        self.agent = AgentSession(
            AGENT,
            facts,
            nonce=b"\x0a" * 32,
            heartbeat=Heartbeat,
            pinned_coordinator_key=pinned,
            enrolment_secret=secret,
        )
        self.coordinator = CoordinatorSession(coordinator, nonce=b"\x0c" * 32, rotations=rotations)
        self.to_agent: list[Action] = []
        self.to_coordinator: list[Action] = []
        # Every frame that crossed, for tests that replay them.
        self.up: list[bytes] = []
        self.down: list[bytes] = []

    def push(self, actions: list[Action], *, from_agent: bool) -> None:
        """Carry out actions of one side, and all that follows from them."""
        (self.to_agent if from_agent else self.to_coordinator).extend(
            action for action in actions if not isinstance(action, Send)
        )
        for action in actions:
            if isinstance(action, Send) and from_agent:
                self.up.append(action.frame)
                answer = self.coordinator.receive(action.frame, self.now)
                self.push(answer, from_agent=False)
            elif isinstance(action, Send):
                self.down.append(action.frame)
                self.push(self.agent.receive(action.frame, self.now), from_agent=True)

    def shake(self) -> None:
        """Run the handshake up to the point where the coordinator's owner decides."""
        self.push(self.coordinator.start(self.now), from_agent=False)
        self.push(self.agent.start(self.now), from_agent=True)

    def establish(self, welcome: Welcome) -> None:
        """Run the handshake and welcome the agent."""
        self.shake()
        self.push(self.coordinator.welcome(welcome, self.now), from_agent=False)
