"""Taking a decision back: what an operator signs, and who may.

A host keeps the ids of decisions that were taken back for as long as they could still be used.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from protocol import authority, canonical, dsse, ids, scopes
from protocol.canonical import Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.limits import MAX_COMMENT, MAX_DECISION_SECONDS
from protocol.reasons import Reason, Refused
from protocol.roster import DECIDING_ROLES, Roster

# Revocations in one message: 500 of 1 KiB are half a frame.
MAX_REVOCATIONS = 500


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision taken back. `at` is the signer's clock in whole seconds.

    `expires_at` is that of the decision, 0 where the signer does not know it.
    """

    v: Literal[1]
    decision_id: str
    scope: str
    at: int
    reason: str = ""
    expires_at: int = 0

    def keep_until(self, now: float) -> int:
        """Return the signed time from which a host may forget it; `now` is when it learnt of it.

        A decision lives for at most 30 days, so one of which no end is known is over by then.
        """
        if self.expires_at:
            return self.expires_at
        return max(self.at, int(now)) + MAX_DECISION_SECONDS


def encode(revocation: Revocation) -> bytes:
    """Return the canonical bytes that are signed."""
    value: Json = msgspec.to_builtins(revocation)
    return canonical.encode(value)


def decode(envelope: dsse.Envelope) -> Revocation | Refused:
    """Return the revocation in an envelope, well-formed but not verified."""
    if envelope.payload_type != dsse.REVOCATION:
        return Refused(Reason.REVOCATION_INVALID, f"payload type {envelope.payload_type!r}")
    try:
        payload = envelope.content()
        canonical.decode(payload)
        revocation = msgspec.json.decode(payload, type=Revocation)
        _check(revocation)
    except (DecodeError, InvalidName, *MALFORMED) as error:
        return Refused(Reason.REVOCATION_INVALID, str(error))
    return revocation


def _check(revocation: Revocation) -> None:
    ids.check_ulid(revocation.decision_id)
    scopes.check_scope(revocation.scope)
    if revocation.at < 0 or revocation.expires_at < 0:
        raise DecodeError("times are at least 0")
    if len(revocation.reason) > MAX_COMMENT:
        raise DecodeError(f"reason is longer than {MAX_COMMENT} characters")


def verify(envelope: dsse.Envelope, roster: Roster) -> Revocation | Refused:
    """Return the revocation that an operator of the roster signed, or why it is none.

    Whoever has a role that may decide may also stop, whatever his grants: stopping is safe.
    """
    revocation = decode(envelope)
    if isinstance(revocation, Refused):
        return revocation
    held = authority.holders(envelope, roster)
    if isinstance(held, Refused):
        return held
    if not any(signer in roster.keys(DECIDING_ROLES) for signer in held):
        return Refused(Reason.ROLE_FORBIDDEN, f"signed by {', '.join(held)}, none may decide")
    return revocation
