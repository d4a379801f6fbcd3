"""Both ends of the agent link, without I/O: frames and times go in, actions come out.

`now` is any clock that does not go back (seconds); it is compared with itself only. The owner
carries out the returned actions in order, calls `receive` per frame and `tick` at `next_wake()`.
What is legal when stands in `protocol.session_table`. A peer's illegal message ends the link and
does nothing else; an illegal call of our own raises `LocalProtocolError` and changes nothing.
This module is the one door; the two ends and the actions live in the `session_*` modules.
"""

from __future__ import annotations

from protocol.session_actions import (
    Action,
    Authenticated,
    CloseLink,
    Established,
    Log,
    NewCoordinatorKey,
    Received,
    Send,
)
from protocol.session_agent import AgentSession, HelloFacts
from protocol.session_coordinator import CoordinatorSession
from protocol.session_table import AgentState, CoordinatorState, Event

__all__ = [
    "Action",
    "AgentSession",
    "AgentState",
    "Authenticated",
    "CloseLink",
    "CoordinatorSession",
    "CoordinatorState",
    "Established",
    "Event",
    "HelloFacts",
    "Log",
    "NewCoordinatorKey",
    "Received",
    "Send",
]
