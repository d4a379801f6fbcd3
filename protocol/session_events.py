"""Which event of `protocol.session_table` a message is, and how a session ends."""

from __future__ import annotations

import msgspec

from protocol import messages
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.limits import MAX_COMMENT
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
from protocol.reasons import Reason
from protocol.session_actions import Action, CloseLink, Log, Send
from protocol.session_table import Event


def last_words(code: str, text: str, reason: Reason | None, *, said: bool) -> list[Action]:
    """Return the actions that end a link by us; `said` says whether the peer is told."""
    actions: list[Action] = [Log("info", f"link closed: {code}: {text}")]
    if said:
        actions.append(Send(messages.encode(Close(code, text[:MAX_COMMENT]))))
    return [*actions, CloseLink(code, text, reason)]


def welcome_event(message: Welcome) -> Event:
    """Return the event that a welcome stands for, by the approval it carries."""
    match message.approval:
        case "approved":
            return Event.WELCOME_APPROVED
        case "pending":
            return Event.WELCOME_PENDING
        case "rejected":
            return Event.REJECTED


_DOWN: dict[type[msgspec.Struct], Event] = {
    Challenge: Event.CHALLENGE,
    Rejected: Event.REJECTED,
    Desired: Event.DESIRED,
    Offer: Event.OFFER,
    Cancel: Event.CANCEL,
    # What operators signed for all hosts or for this one: heard before it is approved, too.
    RosterUpdate: Event.ROSTER,
    StatementUpdate: Event.ROSTER,
    RevocationUpdate: Event.ROSTER,
    ArtifactPart: Event.ARTIFACT_PART,
    Ack: Event.ACK,
    Close: Event.CLOSE,
}


def down_event(message: messages.Down) -> Event:
    """Return the event that a message of the coordinator stands for."""
    return welcome_event(message) if isinstance(message, Welcome) else _DOWN[type(message)]


def up_event(message: messages.Up) -> Event:
    """Return the event that a message of an agent stands for."""
    match message:
        case Hello():
            return Event.HELLO
        case Proof():
            return Event.PROOF
        case Facts():
            return Event.FACTS
        case Journal():
            return Event.JOURNAL
        case Heartbeat():
            return Event.HEARTBEAT
        case ArtifactAsk():
            return Event.ARTIFACT_ASK
        case Close():
            return Event.CLOSE
