"""Signed envelopes (DSSE 1.0.2): the signature is over the exact bytes, never a re-encoding."""

from __future__ import annotations

import base64
import binascii

import msgspec

from protocol import keys
from protocol.errors import MALFORMED, DecodeError
from protocol.limits import MAX_SIGNATURES

# Payload types; one signature can never be taken for another kind of statement.
DECISION = "application/vnd.standfast.decision.v1+json"
ROSTER = "application/vnd.standfast.roster.v1+json"
MODULE = "application/vnd.standfast.module.v1+yaml"
ROTATION = "application/vnd.standfast.key-rotation.v1+json"
NODE = "application/vnd.standfast.node.v1+json"
REVOCATION = "application/vnd.standfast.revocation.v1+json"
SEALED = "application/vnd.standfast.secret.v1+json"
AUDIT_HEAD = "application/vnd.standfast.audit-head.v1+json"


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature; `keyid` is the signer's operator id, a hint that proves nothing by itself."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A payload and the signatures over it; `payload` is standard base64."""

    payload_type: str
    payload: str
    signatures: tuple[Signature, ...] = ()

    def content(self) -> bytes:
        """Return the payload's bytes.

        Raises:
            DecodeError: it is not standard base64 in its one form.
        """
        return _unbase64(self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, key: keys.SigningKey, keyid: str) -> Envelope:
    """Return an envelope with one signature."""
    envelope = Envelope(payload_type, base64.b64encode(payload).decode())
    return add_signature(envelope, key, keyid)


def add_signature(envelope: Envelope, key: keys.SigningKey, keyid: str) -> Envelope:
    """Return the envelope with one more signature over the same bytes."""
    raw = key.sign(pae(envelope.payload_type, envelope.content()))
    added = Signature(keyid, base64.b64encode(raw).decode())
    return Envelope(envelope.payload_type, envelope.payload, (*envelope.signatures, added))


def signers(envelope: Envelope, known: dict[str, bytes]) -> tuple[str, ...]:
    """Return the ids, each once, of the known keys whose signatures hold over the payload.

    `known` maps key ids to public keys.

    Raises:
        DecodeError: the payload or a signature is not base64, or there are too many signatures.
    """
    if len(envelope.signatures) > MAX_SIGNATURES:
        raise DecodeError(f"more than {MAX_SIGNATURES} signatures on one envelope")
    message = pae(envelope.payload_type, envelope.content())
    held: dict[str, None] = {}
    for signature in envelope.signatures:
        public = known.get(signature.keyid)
        if public is not None and keys.verify(public, _unbase64(signature.sig), message):
            held[signature.keyid] = None
    return tuple(held)


def decode(data: bytes) -> Envelope:
    """Return the envelope that JSON bytes hold.

    Raises:
        DecodeError: they do not hold one.
    """
    try:
        return msgspec.json.decode(data, type=Envelope)
    except MALFORMED as error:
        raise DecodeError(f"not a signed envelope: {error}") from error


def encode(envelope: Envelope) -> bytes:
    """Return the envelope as JSON."""
    return msgspec.json.encode(envelope)


def _unbase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"not base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise DecodeError("base64 is not in its one form")
    return data
