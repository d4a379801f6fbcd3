"""Logging in: a challenge signed with the operator's key, and the token kept until it ends.

The token file is private and belongs to one profile; a token is used only where it came from.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from client.api import Api
from client.failures import UntrustedError
from client.private_files import read_private, replace_private
from client.profiles import Profile
from protocol import ids, login
from protocol.api import VerifyRequest
from protocol.keys import SigningKey
from protocol.limits import CHALLENGE_SECONDS, CLOCK_SKEW_SECONDS

# A token that ends while a request is on its way costs a second log-in: stop using it before.
SPARE_SECONDS = 30


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session: whose it is and of which coordinator, and the unix second at which it ends."""

    token: str
    expires_at: int
    operator_id: str
    url: str
    coordinator_key: str


def load_token(directory: Path, profile: Profile, key: SigningKey, now: float) -> str | None:
    """Return a token that still holds for this operator at this coordinator, or None."""
    data = read_private(_path(directory, profile))
    if data is None:
        return None
    try:
        token = msgspec.json.decode(data, type=Token)
    except msgspec.MsgspecError:
        return None
    belongs = (
        token.operator_id == ids.operator_id(key.public)
        and token.url == profile.url
        and token.coordinator_key == profile.coordinator_key
    )
    return token.token if belongs and token.expires_at - SPARE_SECONDS > now else None


def log_in(api: Api, profile: Profile, key: SigningKey, now: float) -> Token:
    """Return a new session.

    Raises:
        UntrustedError: the challenge is not of the pinned coordinator, or asks for too much.
        AuthError: the coordinator does not know this key.
    """
    public = key.public.hex()
    challenge = api.challenge(public)
    if profile.coordinator_key != challenge.coordinator_key:
        raise coordinator_changed(profile, challenge.coordinator_key)
    # Signing a challenge for next year would hand out a log-in that nobody could take back.
    if challenge.expires_at > now + CHALLENGE_SECONDS + CLOCK_SKEW_SECONDS:
        raise UntrustedError(
            f"the log-in challenge ends {challenge.expires_at - now:.0f} s from now, more than "
            f"{CHALLENGE_SECONDS} s",
            next_command="compare the clocks of both machines",
            code="challenge_too_long",
        )
    message = login.statement(
        challenge.coordinator_key, challenge.challenge_id, challenge.nonce, challenge.expires_at
    )
    request = VerifyRequest(public, key.sign(message).hex(), challenge.challenge_id)
    session = api.verify(request)
    operator_id = ids.operator_id(key.public)
    return Token(
        session.token, session.expires_at, operator_id, profile.url, challenge.coordinator_key
    )


def save_token(directory: Path, profile: Profile, token: Token) -> None:
    """Keep a token for the next command."""
    replace_private(_path(directory, profile), msgspec.json.encode(token))


def forget_token(directory: Path, profile: Profile) -> None:
    """Remove a profile's token."""
    _path(directory, profile).unlink(missing_ok=True)


def coordinator_changed(profile: Profile, found: str) -> UntrustedError:
    """Return the error for a coordinator that answers with another key than the pinned one."""
    return UntrustedError(
        f"{profile.url} answers with another coordinator key than the pinned one",
        where=f"pinned {profile.coordinator_key[:16]}, found {found[:16]}",
        next_command="compare it with `standfast-coordinator show-key` on its host; only if it is "
        f"the same: standfast profile update {profile.name} --accept-new-certificate",
        code="coordinator_key_changed",
    )


def _path(directory: Path, profile: Profile) -> Path:
    return directory / "tokens" / f"{profile.name}.json"
