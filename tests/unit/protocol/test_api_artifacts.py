"""Bodies of the API on artifacts."""

from __future__ import annotations

import msgspec

from protocol.api_artifacts import UploadedArtifact


def test_an_answer_of_a_newer_coordinator_is_read() -> None:
    """What this version does not know is passed over."""
    data = b'{"sha256":"s","size":1,"name":"n","uploaded_at":2,"uploaded_by":"b","more":1}'
    assert msgspec.json.decode(data, type=UploadedArtifact) == UploadedArtifact("s", 1, "n", 2, "b")
