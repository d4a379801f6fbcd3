"""What a coordinator signs about its event log: how far it goes, and what was pruned of it.

Agents and clients remember heads, so a log that was rewritten, cut short or forked contradicts a
signature that somebody else holds. The lines themselves are `protocol.audit_chain`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Literal

import msgspec

from protocol import canonical, dsse, ids
from protocol.canonical import MAX_INTEGER, Json
from protocol.errors import MALFORMED, DecodeError, InvalidName
from protocol.keys import SigningKey

ContradictionCode = Literal["audit_forked", "audit_rolled_back"]


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`head`: the log ended with line `seq` of this hash at second `at`.

    `prune`: everything up to and with line `seq` was removed; the last `removed` of them now, by
    `by`, `previous` is the digest of the prune statement before ("" for none).
    """

    v: Literal[1]
    kind: Literal["head", "prune"]
    seq: int
    hash: str
    at: int
    coordinator_key: str
    removed: int = 0
    by: str = ""
    previous: str = ""


class Contradiction(msgspec.Struct, frozen=True):
    """Two statements signed with one coordinator's key that cannot both be true."""

    code: ContradictionCode
    message: str


def sign(head: Head, key: SigningKey) -> dsse.Envelope:
    """Return the signed statement."""
    value: Json = msgspec.to_builtins(head)
    payload = canonical.encode(value)
    return dsse.sign(dsse.AUDIT_HEAD, payload, key, ids.operator_id(key.public))


def read(envelope: dsse.Envelope, trusted: Collection[str]) -> Head:
    """Return what one of the trusted coordinator keys (hex) signed.

    Raises:
        DecodeError: it is malformed, or none of them signed it.
    """
    head = decode(envelope)
    if head.coordinator_key not in trusted:
        raise DecodeError(f"signed for another coordinator key, {head.coordinator_key[:16]}")
    public = bytes.fromhex(head.coordinator_key)
    if not dsse.signers(envelope, {ids.operator_id(public): public}):
        raise DecodeError("the coordinator's signature does not hold")
    return head


def decode(envelope: dsse.Envelope) -> Head:
    """Return the statement in an envelope, well-formed but not verified.

    Raises:
        DecodeError: it holds none.
    """
    if envelope.payload_type != dsse.AUDIT_HEAD:
        raise DecodeError(f"payload type {envelope.payload_type!r} is no audit head")
    try:
        payload = envelope.content()
        canonical.decode(payload)
        head = msgspec.json.decode(payload, type=Head)
        ids.check_hex64(head.hash, "hash")
        ids.check_hex64(head.coordinator_key, "coordinator_key")
    except (InvalidName, *MALFORMED) as error:
        raise DecodeError(f"not an audit head: {error}") from error
    if not 0 <= head.seq <= MAX_INTEGER or not 0 <= head.at <= MAX_INTEGER or head.removed < 0:
        raise DecodeError("a number of the audit head is outside its range")
    return head


def digest(envelope: dsse.Envelope) -> str:
    """Return the SHA-256 (hex) of what was signed; the next prune statement names it."""
    return hashlib.sha256(envelope.content()).hexdigest()


def contradiction(before: Head, after: Head) -> Contradiction | None:
    """Say why a head that was shown after another cannot be of the same log, None if it can."""
    if after.seq == before.seq and after.hash != before.hash:
        return Contradiction(
            "audit_forked",
            f"the event log has two different lines {after.seq}, both signed: {before.hash[:16]}"
            f" and {after.hash[:16]}",
        )
    if after.seq < before.seq:
        return Contradiction(
            "audit_rolled_back",
            f"the event log ends at line {after.seq}, but line {before.seq} was signed before",
        )
    return None
