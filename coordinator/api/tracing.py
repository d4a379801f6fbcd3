"""Which request this is: `x-request-id` and `traceparent`, honoured where well-formed.

The values live in the connection's state; `envelope.py` puts them there and sends them back.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import msgspec

from protocol import api

# The published form of both headers: anything else is replaced, never echoed.
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
STATE_KEY = "standfast_trace"

# An ASGI scope, as far as it is read here.
StateHolder = Mapping[str, object]
_encoder = msgspec.json.Encoder()


class Trace(msgspec.Struct, frozen=True):
    """The ids of one request; `now` is when it came, in seconds since the epoch."""

    request_id: str
    now: float
    trace_id: str | None = None
    traceparent: str | None = None

    def meta(self, pagination: api.Pagination | None = None) -> api.Meta:
        """Return the `meta` of an answer."""
        return api.Meta(self.request_id, rfc3339(self.now), self.trace_id, pagination)


def begin(request_id: bytes | None, traceparent: bytes | None, now: float, entropy: bytes) -> Trace:
    """Return the ids for a request from its two headers; `entropy` is 18 random bytes.

    A malformed header counts as absent: its text never comes back, so it can inject nothing.
    """
    given = (request_id or b"").decode("latin-1")
    own = given.lower() if _UUID.match(given) else uuid7(now, entropy[:10])
    match = _TRACEPARENT.match((traceparent or b"").decode("latin-1"))
    if match is None or match[1] == "0" * 32 or match[2] == "0" * 16:
        return Trace(own, now)
    return Trace(own, now, match[1], f"00-{match[1]}-{entropy[10:18].hex()}-{match[3]}")


def of(scope: StateHolder) -> Trace:
    """Return the ids that `begin` made for this connection."""
    state = scope.get("state")
    if isinstance(state, dict):
        found = cast("dict[str, object]", state).get(STATE_KEY)
        if isinstance(found, Trace):
            return found
    raise AssertionError("a request came past the envelope")


def rfc3339(at: float) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def uuid7(now: float, entropy: bytes) -> str:
    """Return a version 7 UUID (RFC 9562, section 5.7): milliseconds, then 74 random bits."""
    raw = bytearray(int(now * 1000).to_bytes(6, "big") + entropy[:10])
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))


def encode(value: msgspec.Struct) -> bytes:
    """Return a body as JSON."""
    return _encoder.encode(value)
