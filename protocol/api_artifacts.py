"""API bodies of uploaded artifacts: bytes that modules name by digest."""

from __future__ import annotations

import msgspec

# What a person calls the file; only shown, nothing is looked up by it.
MAX_ARTIFACT_NAME = 255


class UploadedArtifact(msgspec.Struct, frozen=True):
    """What is known of one uploaded artifact; times in unix seconds, `size` in bytes."""

    sha256: str
    size: int
    name: str
    uploaded_at: int
    uploaded_by: str
