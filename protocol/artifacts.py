"""Artifacts over the link: a host asks for a part of one by digest, and gets it or a refusal.

Which host may ask for which is the coordinator's judgement; that the bytes are the named ones is
checked by the host, once it has them all.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocol.canonical import MAX_INTEGER
from protocol.limits import ARTIFACT_PART, MAX_TEXT

_Place = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class ArtifactAsk(msgspec.Struct, frozen=True, tag="artifact_ask", tag_field="type"):
    """A host wants the bytes of an artifact from `offset` on; one ask is open at a time."""

    sha256: _Digest
    offset: _Place = 0


class ArtifactPart(msgspec.Struct, frozen=True, tag="artifact_part", tag_field="type"):
    """The bytes of an artifact of `size` bytes from `offset` on, as many as fit.

    `refused` says why there are none; it is "" otherwise.
    """

    sha256: _Digest
    offset: _Place = 0
    size: _Place = 0
    data: Annotated[bytes, msgspec.Meta(max_length=ARTIFACT_PART)] = b""
    refused: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""
