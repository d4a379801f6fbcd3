"""Signatures of several operators over the same bytes, put together as they come in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from protocol import dsse
from protocol.limits import MAX_SIGNATURES


def merged(
    held: dsse.Envelope, more: Sequence[dsse.Signature], known: dict[str, bytes]
) -> dsse.Envelope:
    """Return the envelope with those of the new signatures that hold, one for each key known.

    What does not hold is left out, so that nobody can fill the envelope with nothing.

    Raises:
        DecodeError: a signature is not base64, or there are too many.
    """
    offered = msgspec.structs.replace(held, signatures=tuple(more))
    fresh = set(dsse.signers(offered, known)) - {one.keyid for one in held.signatures}
    kept = list(held.signatures)
    for signature in more:
        alone = msgspec.structs.replace(held, signatures=(signature,))
        if signature.keyid in fresh and dsse.signers(alone, known):
            kept.append(signature)
            fresh.discard(signature.keyid)
    return msgspec.structs.replace(held, signatures=tuple(kept[:MAX_SIGNATURES]))


def only_valid(envelope: dsse.Envelope, known: dict[str, bytes]) -> dsse.Envelope:
    """Return the envelope with the signatures that hold alone.

    Raises:
        DecodeError: as `merged`.
    """
    return merged(msgspec.structs.replace(envelope, signatures=()), envelope.signatures, known)
