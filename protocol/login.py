"""What an operator signs to log in: bound to this coordinator, this challenge and this minute."""

from __future__ import annotations

from protocol import canonical


def statement(coordinator_key: str, challenge_id: str, nonce: str, expires_at: int) -> bytes:
    """Return the canonical bytes that the operator signs.

    A bare nonce is never signed: another coordinator could pass it on and log in as the operator.
    """
    return canonical.encode(
        {
            "challenge_id": challenge_id,
            "context": "standfast/login/v1",
            "coordinator_key": coordinator_key,
            "expires_at": expires_at,
            "nonce": nonce,
        }
    )
