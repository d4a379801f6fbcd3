"""A roster for when the admins are lost: made from a file and signed offline with recovery keys.

Nobody is asked here. The file goes to the coordinator by hand (`standfast-coordinator roster
--take`); hosts and clients verify it as any other version, and say loudly how it was signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from client.failures import AuthError, BadUsageError, UntrustedError
from client.private_files import replace_private
from client.roster_edits import following
from protocol import dsse, ids, roster, roster_proposals
from protocol.errors import InvalidName
from protocol.keys import SigningKey
from protocol.limits import MAX_ROSTER_CHAIN
from protocol.reasons import Refused
from protocol.roster import Roster, RosterOperator, TrustedRoster


def newest(chain: Sequence[dsse.Envelope]) -> TrustedRoster:
    """Return the end of a chain in which each version follows from the one before.

    Raises:
        UntrustedError: it does not.
    """
    held: TrustedRoster | None = None
    # In the portions that one look verifies: a chain grows for as long as the fleet lives.
    for at in range(0, max(1, len(chain)), MAX_ROSTER_CHAIN):
        part = tuple(chain[at : at + MAX_ROSTER_CHAIN])
        found = roster.verify_chain(held, None, part)
        if isinstance(found, Refused):
            raise UntrustedError(f"the chain does not hold: {found.detail}", code=str(found.reason))
        held = found
    assert held is not None  # noqa: S101 - an empty chain was refused like any that does not hold
    return held


def with_new_admin(trusted: TrustedRoster, username: str, public: bytes, now: float) -> Roster:
    """Return the next version: this admin in the place of all who were, one signature enough."""
    admin = RosterOperator(ids.operator_id(public), ids.check_name(username), public.hex(), "admin")
    folded = ids.fold_name(admin.username)
    others = tuple(
        one
        for one in trusted.roster.operators
        if one.role != "admin" and ids.fold_name(one.username) != folded
    )
    return msgspec.structs.replace(following(trusted, (admin, *others), now), threshold=1)


def sign(
    trusted: TrustedRoster, envelope: dsse.Envelope | None, made: Roster, key: SigningKey
) -> dsse.Envelope:
    """Return the next version with this recovery key's signature on it.

    `envelope` is what another holder of such a key has signed already; then `made` counts for
    nothing.

    Raises:
        AuthError: the key is no recovery key of the roster, or hosts would refuse the version.
    """
    own = ids.operator_id(key.public)
    if own not in trusted.roster.recovery_keys():
        raise AuthError(
            "this is no recovery key of the roster",
            next_command="standfast roster verify FILE",
            code="not_recovery_key",
        )
    if envelope is None:
        signed = dsse.sign(dsse.ROSTER, roster.encode(made), key, own)
    elif own in {signature.keyid for signature in envelope.signatures}:
        signed = envelope
    else:
        signed = dsse.add_signature(envelope, key, own)
    refused = roster_proposals.follows(trusted, signed)
    if isinstance(refused, Refused):
        raise AuthError(f"hosts would refuse this: {refused.detail}", code=str(refused.reason))
    return signed


def missing(trusted: TrustedRoster, envelope: dsse.Envelope) -> int:
    """Return how many recovery keys have to sign still."""
    held = dsse.signers(envelope, trusted.roster.recovery_keys())
    return max(0, trusted.roster.recovery_threshold - len(held))


def parse_admin(text: str) -> tuple[str, bytes]:
    """Return name and public key of `NAME=PUBLIC_KEY`.

    Raises:
        BadUsageError: it is not written so.
    """
    name, _, public = text.partition("=")
    try:
        return ids.check_name(name), ids.check_hex64(public, "the admin's key")
    except InvalidName as error:
        raise BadUsageError(
            f"--admin {text!r}: {error}; write NAME=PUBLIC_KEY",
            next_command="standfast operator whoami, on the new admin's machine",
        ) from error


def write(path: Path, envelope: dsse.Envelope) -> None:
    """Write the signed version to a file."""
    replace_private(path, dsse.encode(envelope) + b"\n")
