"""What the two ends of a link sign, and how a new coordinator key follows from an old one.

Only statements and their checks; `protocol.session` says when they are made.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from protocol import canonical, dsse, ids, keys
from protocol.errors import MALFORMED, DecodeError, InvalidName

NONCE_SIZE = 32
SEALING_KEY_SIZE = 32
# One rotation a year for a host that was off for sixteen.
MAX_ROTATIONS = 16

_COORDINATOR = b"standfast/link/v1/coordinator\x00"
_AGENT = b"standfast/link/v1/agent\x00"
_SEALING = b"standfast/sealing-key/v1\x00"
_ROTATION = "standfast/key-rotation/v1"


def coordinator_transcript(hello: bytes, nonce: bytes, public_key: bytes, version: int) -> bytes:
    """Return what the coordinator signs: the hello frame as received, and all that it chose."""
    parts = (hello, nonce, public_key, b"%d" % version)
    return _hash(_COORDINATOR, parts)


def agent_transcript(hello: bytes, challenge: bytes) -> bytes:
    """Return what the agent signs: both frames before it, the coordinator's signature included."""
    return _hash(_AGENT, (hello, challenge))


def _hash(context: bytes, parts: tuple[bytes, ...]) -> bytes:
    # Each part with its length before it: no byte can move from one part to the next.
    joined = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hashlib.sha256(context + joined).digest()


def sign_sealing_key(identity: keys.SigningKey, sealing_key: bytes) -> bytes:
    """Return the identity's signature over its X25519 sealing key."""
    return identity.sign(_SEALING + sealing_key)


def sealing_key_holds(public_key: bytes, sealing_key: bytes, signature: bytes) -> bool:
    """Say whether a sealing key is signed by the identity that it comes with."""
    if len(sealing_key) != SEALING_KEY_SIZE:
        return False
    return keys.verify(public_key, signature, _SEALING + sealing_key)


class _Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    context: Literal["standfast/key-rotation/v1"]
    old: str
    new: str
    at: int


def rotation(old: keys.SigningKey, new_public: bytes, at: int) -> dsse.Envelope:
    """Return the statement by which a coordinator's old key names its successor.

    `at` is whole seconds since the epoch.
    """
    payload = canonical.encode(
        {"at": at, "context": _ROTATION, "new": new_public.hex(), "old": old.public.hex()}
    )
    return dsse.sign(dsse.ROTATION, payload, old, old.public.hex())


def follow_rotations(pinned: bytes, statements: tuple[dsse.Envelope, ...]) -> bytes:
    """Return the key that a chain of statements, oldest first, leads to from the pinned key.

    Statements of other keys before the pinned one are passed over (a host may have seen them);
    a statement that is malformed or not signed by the key that it names ends the chain.
    """
    current = pinned
    for envelope in statements[:MAX_ROTATIONS]:
        step = _step(envelope)
        if step is None:
            return current
        old, new = step
        if old == current:
            current = new
    return current


def _step(envelope: dsse.Envelope) -> tuple[bytes, bytes] | None:
    if envelope.payload_type != dsse.ROTATION:
        return None
    try:
        canonical.decode(envelope.content())
        statement = msgspec.json.decode(envelope.content(), type=_Rotation)
        old = ids.check_hex64(statement.old, "old")
        new = ids.check_hex64(statement.new, "new")
        held = dsse.signers(envelope, {statement.old: old})
    except (DecodeError, InvalidName, *MALFORMED):
        return None
    return (old, new) if held else None
