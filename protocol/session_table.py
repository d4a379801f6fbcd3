"""The states of the agent link as tables: what may happen when. Nothing here acts.

A pair (state, event) that is not in the table is illegal: it changes nothing by itself. The
session then answers with `Event.FAULT` if the peer was at fault, or raises if our side was.
"""

from __future__ import annotations

import enum


class AgentState(enum.StrEnum):
    """Where an agent's end of the link stands."""

    NEW = "new"
    WAIT_CHALLENGE = "wait_challenge"
    WAIT_WELCOME = "wait_welcome"
    PENDING = "pending"
    APPROVED = "approved"
    CLOSED = "closed"


class CoordinatorState(enum.StrEnum):
    """Where the coordinator's end of the link stands."""

    NEW = "new"
    WAIT_HELLO = "wait_hello"
    WAIT_PROOF = "wait_proof"
    DECIDING = "deciding"
    PENDING = "pending"
    APPROVED = "approved"
    CLOSED = "closed"


class Event(enum.StrEnum):
    """What can happen on either end: a message (received or sent), or something local."""

    START = "start"
    HELLO = "hello"
    CHALLENGE = "challenge"
    PROOF = "proof"
    WELCOME_PENDING = "welcome_pending"
    WELCOME_APPROVED = "welcome_approved"
    REJECTED = "rejected"
    FACTS = "facts"
    JOURNAL = "journal"
    HEARTBEAT = "heartbeat"
    DESIRED = "desired"
    OFFER = "offer"
    CANCEL = "cancel"
    ROSTER = "roster"
    ACK = "ack"
    ARTIFACT_ASK = "artifact_ask"
    ARTIFACT_PART = "artifact_part"
    CLOSE = "close"
    # A broken frame, a signature that does not hold, a deadline: the end of the link, by us.
    FAULT = "fault"


A, C, E = AgentState, CoordinatorState, Event

AGENT_TABLE: dict[tuple[AgentState, Event], AgentState] = {
    (A.NEW, E.START): A.WAIT_CHALLENGE,
    (A.WAIT_CHALLENGE, E.CHALLENGE): A.WAIT_WELCOME,
    (A.WAIT_CHALLENGE, E.REJECTED): A.CLOSED,
    (A.WAIT_WELCOME, E.WELCOME_PENDING): A.PENDING,
    (A.WAIT_WELCOME, E.WELCOME_APPROVED): A.APPROVED,
    (A.WAIT_WELCOME, E.REJECTED): A.CLOSED,
    # The coordinator says welcome again when the approval, the name or the scope changes.
    (A.PENDING, E.WELCOME_PENDING): A.PENDING,
    (A.PENDING, E.WELCOME_APPROVED): A.APPROVED,
    (A.PENDING, E.REJECTED): A.CLOSED,
    (A.PENDING, E.FACTS): A.PENDING,
    (A.PENDING, E.JOURNAL): A.PENDING,
    (A.PENDING, E.HEARTBEAT): A.PENDING,
    (A.PENDING, E.ROSTER): A.PENDING,
    (A.PENDING, E.ACK): A.PENDING,
    (A.PENDING, E.ARTIFACT_ASK): A.PENDING,
    (A.PENDING, E.ARTIFACT_PART): A.PENDING,
    (A.APPROVED, E.WELCOME_PENDING): A.PENDING,
    (A.APPROVED, E.WELCOME_APPROVED): A.APPROVED,
    (A.APPROVED, E.REJECTED): A.CLOSED,
    (A.APPROVED, E.FACTS): A.APPROVED,
    (A.APPROVED, E.JOURNAL): A.APPROVED,
    (A.APPROVED, E.HEARTBEAT): A.APPROVED,
    (A.APPROVED, E.ROSTER): A.APPROVED,
    (A.APPROVED, E.ACK): A.APPROVED,
    (A.APPROVED, E.ARTIFACT_ASK): A.APPROVED,
    (A.APPROVED, E.ARTIFACT_PART): A.APPROVED,
    (A.APPROVED, E.DESIRED): A.APPROVED,
    (A.APPROVED, E.OFFER): A.APPROVED,
    (A.APPROVED, E.CANCEL): A.APPROVED,
    **{(state, E.CLOSE): A.CLOSED for state in A if state is not A.CLOSED},
    **{(state, E.FAULT): A.CLOSED for state in A if state is not A.CLOSED},
}

COORDINATOR_TABLE: dict[tuple[CoordinatorState, Event], CoordinatorState] = {
    (C.NEW, E.START): C.WAIT_HELLO,
    (C.WAIT_HELLO, E.HELLO): C.WAIT_PROOF,
    (C.WAIT_HELLO, E.REJECTED): C.CLOSED,
    (C.WAIT_PROOF, E.PROOF): C.DECIDING,
    (C.WAIT_PROOF, E.REJECTED): C.CLOSED,
    (C.DECIDING, E.WELCOME_PENDING): C.PENDING,
    (C.DECIDING, E.WELCOME_APPROVED): C.APPROVED,
    (C.DECIDING, E.REJECTED): C.CLOSED,
    (C.PENDING, E.WELCOME_PENDING): C.PENDING,
    (C.PENDING, E.WELCOME_APPROVED): C.APPROVED,
    (C.PENDING, E.REJECTED): C.CLOSED,
    (C.PENDING, E.FACTS): C.PENDING,
    (C.PENDING, E.JOURNAL): C.PENDING,
    (C.PENDING, E.HEARTBEAT): C.PENDING,
    (C.PENDING, E.ROSTER): C.PENDING,
    (C.PENDING, E.ACK): C.PENDING,
    (C.PENDING, E.ARTIFACT_ASK): C.PENDING,
    (C.PENDING, E.ARTIFACT_PART): C.PENDING,
    (C.APPROVED, E.WELCOME_PENDING): C.PENDING,
    (C.APPROVED, E.WELCOME_APPROVED): C.APPROVED,
    (C.APPROVED, E.REJECTED): C.CLOSED,
    (C.APPROVED, E.FACTS): C.APPROVED,
    (C.APPROVED, E.JOURNAL): C.APPROVED,
    (C.APPROVED, E.HEARTBEAT): C.APPROVED,
    (C.APPROVED, E.ROSTER): C.APPROVED,
    (C.APPROVED, E.ACK): C.APPROVED,
    (C.APPROVED, E.ARTIFACT_ASK): C.APPROVED,
    (C.APPROVED, E.ARTIFACT_PART): C.APPROVED,
    (C.APPROVED, E.DESIRED): C.APPROVED,
    (C.APPROVED, E.OFFER): C.APPROVED,
    (C.APPROVED, E.CANCEL): C.APPROVED,
    **{(state, E.CLOSE): C.CLOSED for state in C if state is not C.CLOSED},
    **{(state, E.FAULT): C.CLOSED for state in C if state is not C.CLOSED},
}
