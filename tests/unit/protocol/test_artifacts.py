"""What an ask and a part may hold."""

from __future__ import annotations

import msgspec
import pytest

from protocol import messages
from protocol.artifacts import ArtifactAsk, ArtifactPart
from protocol.errors import DecodeError
from protocol.limits import ARTIFACT_PART, MAX_FRAME

DIGEST = "ab" * 32


def test_the_largest_part_fits_a_frame() -> None:
    """Its bytes come as they were sent."""
    part = ArtifactPart(DIGEST, 0, ARTIFACT_PART, b"\xff" * ARTIFACT_PART)
    frame = messages.encode(part)
    assert len(frame) < MAX_FRAME
    assert messages.decode_down(frame) == part


@pytest.mark.parametrize(
    "ask",
    [
        {"sha256": "AB" * 32},
        {"sha256": DIGEST + "\n"},
        {"sha256": "../../etc/shadow"},
        {"sha256": DIGEST, "offset": -1},
        {"sha256": DIGEST, "offset": 2**63},
        {"offset": 0},
    ],
    ids=str,
)
def test_an_ask_names_a_digest_and_a_place(ask: dict[str, object]) -> None:
    """Anything else is no message."""
    with pytest.raises(DecodeError):
        messages.decode_up(msgspec.msgpack.encode({"type": "artifact_ask", **ask}))
    assert messages.decode_up(messages.encode(ArtifactAsk(DIGEST, 5))) == ArtifactAsk(DIGEST, 5)


@pytest.mark.parametrize(
    "part",
    [
        {"data": b"x" * (ARTIFACT_PART + 1)},
        {"offset": -1},
        {"size": 2**63},
        {"refused": "x" * 5_000},
    ],
    ids=lambda part: next(iter(part)),
)
def test_a_part_is_bounded_where_it_is_decoded(part: dict[str, object]) -> None:
    """A host survives the words of a stolen coordinator."""
    with pytest.raises(DecodeError):
        messages.decode_down(
            msgspec.msgpack.encode({"type": "artifact_part", "sha256": DIGEST, **part})
        )
