"""What a link session asks its owner to do, as values. The owner does it in the order given."""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol.artifacts import ArtifactAsk
from protocol.messages import (
    Close,
    Facts,
    Heartbeat,
    Hello,
    Journal,
    Rejected,
    Told,
    Welcome,
)
from protocol.ratchet import Claim
from protocol.reasons import Reason


class Send(msgspec.Struct, frozen=True):
    """Put these exact bytes on the link as one binary frame."""

    frame: bytes


class CloseLink(msgspec.Struct, frozen=True):
    """Close the link; the session is over. `code` is one word, `reason` set where hosts show it."""

    code: str
    message: str
    reason: Reason | None = None


class Received(msgspec.Struct, frozen=True):
    """A message of an established link for the owner (a `Rejected` also ends it)."""

    message: Facts | Journal | Heartbeat | ArtifactAsk | Told | Welcome | Rejected | Close


class Established(msgspec.Struct, frozen=True):
    """Agent only: the coordinator is who it should be and said welcome, for the first time."""

    welcome: Welcome
    coordinator_key: bytes


class NewCoordinatorKey(msgspec.Struct, frozen=True):
    """Agent only: the pinned key named this successor; pin it before going on."""

    key: bytes


class Authenticated(msgspec.Struct, frozen=True):
    """Coordinator only: the agent holds its key. Answer with `welcome` or `reject`.

    `node_id` is what the host claims to be; only where it follows from the key is that proved.

    `claim` is what it proved of the ratchet, for `protocol.ratchet.judge`.
    """

    hello: Hello
    node_id: str
    enrolment_secret: bytes | None
    claim: Claim

    def __repr__(self) -> str:
        shown = "None" if self.enrolment_secret is None else "<hidden>"
        return f"Authenticated(node_id={self.node_id!r}, enrolment_secret={shown})"


class Log(msgspec.Struct, frozen=True):
    """A line for the owner's log."""

    level: Literal["debug", "info", "warning"]
    text: str


Action = Send | CloseLink | Received | Established | NewCoordinatorKey | Authenticated | Log
