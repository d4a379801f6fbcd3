"""One message of each kind of the link, for tests that try them all."""

from __future__ import annotations

import msgspec

from protocol import dsse, ids, journal, messages
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.messages import (
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
from protocol.session import Event
from tests.fakes.link_pair import AGENT, COORDINATOR

NODE = ids.node_id(AGENT.public)
APPROVED = Welcome(NODE, "approved", 7, 1, 0.0, "default/default/default", "web1")
PENDING = msgspec.structs.replace(APPROVED, approval="pending", name=None)
ENTRY = journal.seal(1, journal.GENESIS, 1.0, "audit", b"", AGENT)
OFFER = Offer("run", "state.plan", "lease", 1, "op")
UP: dict[Event, messages.Up] = {
    Event.FACTS: Facts({"os": "linux"}),
    Event.JOURNAL: Journal((ENTRY,)),
    Event.HEARTBEAT: Heartbeat(1.0),
    Event.ARTIFACT_ASK: ArtifactAsk("ab" * 32, 7),
}
DOWN: dict[Event, messages.Told] = {
    Event.DESIRED: Desired(1, b"{}"),
    Event.OFFER: OFFER,
    Event.CANCEL: Cancel("run", 1),
    Event.ROSTER: RosterUpdate(()),
    Event.ACK: Ack(9),
    Event.ARTIFACT_PART: ArtifactPart("ab" * 32, 7, 9, b"rt"),
}
# What operators signed beside the roster comes under the same event.
SIGNED: tuple[messages.Told, ...] = (
    StatementUpdate(dsse.Envelope(dsse.NODE, "")),
    RevocationUpdate(()),
)
TO_AGENT: dict[Event, messages.Down] = {
    Event.CHALLENGE: Challenge(1, COORDINATOR.public, b"\x0c" * 32, b"\0" * 64),
    Event.WELCOME_PENDING: PENDING,
    Event.WELCOME_APPROVED: APPROVED,
    Event.REJECTED: Rejected("no", ""),
    Event.CLOSE: Close("bye"),
    **DOWN,
}
TO_COORDINATOR: dict[Event, messages.Up] = {
    Event.HELLO: Hello((1,), b"", b"", b"", b"", "", "", 0, 0, 0),
    Event.PROOF: Proof(b"\0" * 64),
    Event.CLOSE: Close("bye"),
    **UP,
}
