"""What the document of a `Desired` message holds: what a host is told of itself. Pure.

Nothing in it makes a host act: it only feeds the resolution of modules, whose outcome is approved.
"""

from __future__ import annotations

import msgspec

from protocol.errors import MALFORMED, DecodeError
from protocol.limits import MAX_OFFER_MODULES


class DesiredDocument(msgspec.Struct, frozen=True):
    """The operators' name for the host and its tags, which `tag.x` clauses ask about."""

    name: str | None = None
    tags: dict[str, str] = {}


def encode(document: DesiredDocument) -> bytes:
    """Return the document as JSON with sorted keys: equal documents are equal bytes."""
    return msgspec.json.encode(document, order="deterministic")


def decode(data: bytes) -> DesiredDocument:
    """Return the document that bytes hold; unknown fields are ignored.

    Raises:
        DecodeError: too long or not such a document.
    """
    if len(data) > MAX_OFFER_MODULES:
        raise DecodeError(f"a desired document has at most {MAX_OFFER_MODULES} bytes")
    try:
        return msgspec.json.decode(data, type=DesiredDocument)
    except MALFORMED as error:
        raise DecodeError(f"not a desired document: {error}") from error
